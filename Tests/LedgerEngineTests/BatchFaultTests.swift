import LedgerEngine
import Testing
import WalletCore
import WalletTesting

@Suite struct BatchFaultTests {
    // MARK: Commits of unknown outcome

    @Test(
        arguments: [FaultyLedgerStore.Fault.lostAfterCommit, .lostBeforeCommit], [true, false])
    func unknownCommitOfABatchHappensOnceAndIsNoReplay(
        _ fault: FaultyLedgerStore.Fault, _ isAtomic: Bool
    ) async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(2, first: 10)
            let before = try await engine.head()
            let batch = BatchTests.batch(
                [transfer(wallets[0], wallets[1], 3), transfer(wallets[0], wallets[1], 4)],
                key: "b", isAtomic: isAtomic)
            engine.log.expect([fault])
            let outcome = try await engine.submit(batch)
            #expect(!outcome.isReplay)
            #expect(outcome.outcomes?.allSatisfy { !$0.isReplay } == true)
            #expect(engine.sequencer.statistics.unknownCommits == 1)
            #expect(try await engine.head().position == before.position + 2)
            let again = try await engine.submit(batch)
            #expect(again.isReplay)
            #expect(again.outcomes?.map(\.event) == outcome.outcomes?.map(\.event))
            #expect(try await engine.totals(of: wallets) == [3, 7])
            _ = try await Verifier(store: engine.base).verify()
        }
    }

    @Test func unknownCommitOfARefusedBatchIsNoReplay() async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(2, first: 1)
            let batch = BatchTests.batch(
                [transfer(wallets[0], wallets[1], 2)], key: "b", isAtomic: true)
            engine.log.expect([.lostAfterCommit])
            let first = try await engine.submit(batch)
            #expect(first.refusal?.code == .batchRefused && !first.isReplay)
            #expect(try await engine.submit(batch).isReplay)
        }
    }

    // MARK: A batch that the database refuses

    @Test(arguments: [true, false])
    func rejectedBatchFailsWholeAndItsNeighboursSucceed(_ isAtomic: Bool) async throws {
        let gate = Gate(isOpen: false)
        let clock = ManualClock()
        let base = InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        var opened: [WalletID] = []
        try await Engine.run(on: base, clock: clock) { opened = try await $0.wallets(2, first: 9) }
        let wallets = opened
        try await Engine.run(on: base, clock: clock, gate: gate) { engine in
            engine.log.reject { append in append.entries.contains { $0.change == 13 } }
            let batches = [
                [deposit(wallets[0], 1), deposit(wallets[1], 1)],
                [deposit(wallets[0], 2), deposit(wallets[0], 13), deposit(wallets[0], 4)],
                [deposit(wallets[0], 8)],
            ].enumerated().map { BatchTests.batch($1, key: "b\($0)", isAtomic: isAtomic) }
            let results = try await engine.submitTogether(
                batches, behind: .freezeWallet(wallets[1]), gate: gate)
            #expect(throws: SubmissionError.rejected) { try results[1].get() }
            for neighbour in [results[0], results[2]] {
                let outcome = try neighbour.get()
                #expect(!outcome.isReplay)
                #expect(outcome.outcomes?.allSatisfy { $0.event != nil } == true)
            }
            #expect(try await engine.totals(of: wallets) == [18, 1])
            _ = try await Verifier(store: base).verify()
            // None of its keys is used up.
            engine.log.reject { _ in false }
            let again = try await engine.submit(batches[1])
            #expect(again.outcomes?.allSatisfy { $0.event != nil && !$0.isReplay } == true)
        }
    }

    // MARK: Limits

    /// The sizes of the commits of batches of these sizes that wait behind one command.
    private func commitSizes(
        of sizes: [Int], _ limits: Sequencer.Limits
    ) async throws -> [Int] {
        let gate = Gate(isOpen: false)
        let clock = ManualClock()
        let base = InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        var opened: [WalletID] = []
        try await Engine.run(on: base, clock: clock) { opened = try await $0.wallets(1, first: 0) }
        let wallets = opened
        var commits: [Int] = []
        try await Engine.run(on: base, clock: clock, limits: limits, gate: gate) { engine in
            let batches = sizes.enumerated().map { index, size in
                BatchTests.batch(
                    Array(repeating: deposit(wallets[0], 1), count: size), key: "b\(index)",
                    isAtomic: index.isMultiple(of: 2))
            }
            let results = try await engine.submitTogether(
                batches, behind: deposit(wallets[0], 1), gate: gate)
            for result in results { #expect(try result.get().outcomes != nil) }
            #expect(engine.sequencer.statistics.commands == Int64(sizes.reduce(1, +)))
            commits = engine.log.appends.map(\.entries.count)
            _ = try await Verifier(store: base).verify()
        }
        return commits
    }

    @Test func batchesShareATransactionAndAreNeverDivided() async throws {
        var limits = Sequencer.Limits()
        limits.maxBatch = 4
        #expect(try await commitSizes(of: [2, 2, 3, 2, 9, 1, 3], limits) == [1, 4, 3, 2, 9, 4])
    }

    @Test func batchCountsAllItsBytes() async throws {
        var limits = Sequencer.Limits()
        limits.maxBatchBytes = 9_000
        #expect(try await commitSizes(of: [2, 3, 4, 20, 1], limits) == [1, 5, 4, 20, 1])
    }

    @Test func queueCountsEveryOperationOfABatch() async throws {
        var limits = Sequencer.Limits()
        limits.queueLimit = 4
        let gate = Gate(isOpen: false)
        try await Engine.run(limits: limits, gate: gate) { engine in
            let opening = Command.openWallet(userID: "ada", currency: Fixture.currency("EUR"))
            func batch(_ size: Int, _ key: String) -> BatchSubmission {
                BatchTests.batch(
                    Array(repeating: opening, count: size), key: key, isAtomic: true)
            }
            async let first = engine.submit(opening, key: "first")
            try await eventually { gate.waiters == 1 }
            async let second = engine.result(of: batch(3, "second"))
            try await eventually { engine.sequencer.statistics.queueDepth == 3 }
            await #expect(throws: SubmissionError.overloaded) {
                try await engine.submit(batch(2, "third"))
            }
            #expect(engine.sequencer.statistics.shed == 1)
            gate.open()
            _ = try await first
            #expect(try await second.get().outcomes?.count == 3)
            // Nothing else waits: what is larger than the queue has its turn all the same.
            #expect(try await engine.submit(batch(9, "large")).outcomes?.count == 9)
        }
    }

    // MARK: Verifying

    @Test func keyOfABatchThatIsNotKeptRightIsFound() async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(1, first: 0)
            let first = try await engine.head().position + 1
            let batch = BatchTests.batch(
                [deposit(wallets[0], 1), deposit(wallets[0], 2)], key: "b", isAtomic: true)
            _ = try await engine.submit(batch)
            func verify(_ change: @escaping @Sendable (KeyRecord) -> KeyRecord?) async throws {
                let altered = AlteredLedgerStore(engine.base) { alteration in
                    alteration.keys = { $0.compactMap { $0.key == batch.key ? change($0) : $0 } }
                }
                _ = try await Verifier(store: altered).verify()
            }
            try await verify { $0 }
            for change: @Sendable (KeyRecord) -> KeyRecord? in [
                { _ in nil }, { KeyRecord(key: $0.key, position: $0.position + 1) },
            ] {
                let fault = await #expect(throws: Verifier.Fault.self) { try await verify(change) }
                #expect(fault?.position == first)
            }
            let uncounted = AlteredLedgerStore(engine.base) { alteration in
                alteration.tally = { tally in
                    var tally = tally
                    tally.keys -= 1
                    return tally
                }
            }
            await #expect(throws: Verifier.Fault.self) {
                _ = try await Verifier(store: uncounted).verify()
            }
        }
    }
}
