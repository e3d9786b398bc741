import LedgerEngine
import Testing
import WalletCore
import WalletTesting

@Suite("The feed of the log", .timeLimit(.minutes(1)))
struct LogFeedTests {
    /// Lets a follower wait, does something, and tells what the follower was told.
    private func signal(
        of feed: LogFeed, after position: Int64, when act: @Sendable (LogFeed) -> Void
    ) async -> LogFeed.Signal {
        await withTaskGroup(of: LogFeed.Signal.self) { group in
            group.addTask { await feed.next(after: position) }
            while feed.waiters == 0 { await Task.yield() }
            act(feed)
            return await group.next() ?? .stopped
        }
    }

    @Test("wakes a follower when the log moves")
    func moved() async {
        #expect(await signal(of: LogFeed(), after: 0) { $0.announce(1) } == .moved)
    }

    @Test("answers at once who is behind what was announced")
    func behind() async {
        let feed = LogFeed()
        feed.announce(7)
        #expect(feed.latest == 7)
        #expect(await feed.next(after: 6) == .moved)
        #expect(await signal(of: feed, after: 7) { $0.announce(8) } == .moved)
    }

    @Test("is not moved by what it has announced already")
    func old() async {
        let feed = LogFeed()
        feed.announce(5)
        let signal = await signal(of: feed, after: 5) { feed in
            feed.announce(4)
            feed.announce(5)
            #expect(feed.waiters == 1)
            feed.tick()
        }
        #expect(signal == .tick)
        #expect(feed.latest == 5)
    }

    @Test("wakes everybody at once")
    func everybody() async {
        let feed = LogFeed()
        await withTaskGroup(of: LogFeed.Signal.self) { group in
            for _ in 0..<50 { group.addTask { await feed.next(after: 0) } }
            while feed.waiters < 50 { await Task.yield() }
            feed.announce(1)
            for await signal in group { #expect(signal == .moved) }
        }
        #expect(feed.waiters == 0)
    }

    @Test("ends for those who wait and for those who come later")
    func stopped() async {
        let feed = LogFeed()
        #expect(!feed.isStopped)
        #expect(await signal(of: feed, after: 0) { $0.stop() } == .stopped)
        feed.announce(1)
        #expect(await feed.next(after: 0) == .stopped)
        #expect(feed.isStopped)
    }

    @Test("lets a follower go whose task is cancelled, before and while it waits")
    func cancelled() async {
        let feed = LogFeed()
        for waits in [true, false] {
            await withTaskGroup(of: LogFeed.Signal.self) { group in
                if !waits { group.cancelAll() }
                group.addTask { await feed.next(after: 0) }
                while waits, feed.waiters == 0 { await Task.yield() }
                group.cancelAll()
                #expect(await group.next() == .stopped)
            }
            #expect(feed.waiters == 0)
        }
    }

    @Test("is told of every commit by the sequencer")
    func sequencer() async throws {
        let feed = LogFeed()
        let clock = ManualClock()
        let sequencer = Sequencer(
            store: InMemoryLedgerStore(ledger: Fixture.ledger) { clock.now },
            entropy: SeededEntropy(seed: 1).next, announce: { feed.announce($0.position) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await sequencer.run() }
            defer { sequencer.stop() }
            for position in 1...3 as ClosedRange<Int64> {
                _ = try await sequencer.submit(
                    Fixture.submission(
                        .openWallet(userID: "alice", currency: Fixture.currency("USD")),
                        key: "key-\(position)"))
                #expect(await feed.next(after: position - 1) == .moved)
                #expect(feed.latest == position)
            }
        }
    }

    @Test("ticks while it runs, and stops when it is cancelled")
    func runs() async {
        let feed = LogFeed()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await feed.run() }
            #expect(await feed.next(after: 0) == .tick)
            group.cancelAll()
        }
        #expect(feed.isStopped)
    }
}
