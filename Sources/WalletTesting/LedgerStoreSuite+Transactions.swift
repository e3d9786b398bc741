import Dispatch
import LedgerEngine
import WalletCore

/// Transactions, snapshots and the log.
extension LedgerStoreSuite {
    private struct Abandoned: Error {}

    func newLedgerHasAnEmptyLog(_ bench: Bench) async throws {
        let (head, epochs, found) = try await bench.read { snapshot in
            (try snapshot.head(), try snapshot.epochs(), try Everything(snapshot))
        }
        try requireEqual(head.position, 0, "the position of a new ledger")
        try requireEqual(head.hash, .genesis(of: head.ledger), "the hash of a new ledger")
        try requireEqual(head.recordedAt, ManualClock.start, "the time of a new ledger")
        try requireEqual(
            epochs, [Epoch(epoch: head.epoch, firstPosition: 1)], "the epochs of a new ledger")
        try requireEqual(found.tally, Tally(), "the rows of a new ledger")
        try requireEqual(found.external, [:], "the external accounts of a new ledger")
        let segments = try await bench.read { snapshot in
            [try snapshot.segment(containing: 0), try snapshot.segment(containing: 1)]
        }
        try requireEqual(segments, [nil, nil], "segments of an empty log")
    }

    func appendedRowsAreReadBack(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1)[0]
        let append = try await bench.write([
            .deposit(
                wallet: wallet, amount: Fixture.amount(5), currency: nil, reference: "order 1"),
            .placeHold(
                wallet: wallet, amount: Fixture.amount(7), currency: nil,
                expiresAt: bench.clock.now.advanced(byMicroseconds: 60_000_000), reference: nil),
        ])
        let expected = bench.scribe.state
        let found = try await bench.read { snapshot in
            (
                head: try snapshot.head(), wallets: try snapshot.wallets([wallet]),
                holds: try snapshot.holds(append.holds.map(\.id)),
                keys: try snapshot.keys(append.keys.map(\.key)),
                references: try snapshot.references(append.references.map(\.key)),
                segment: try snapshot.segment(containing: append.head.position)
            )
        }
        try requireEqual(found.head, append.head, "the head")
        try requireEqual(found.wallets, [expected.wallets[wallet]].compactMap(\.self), "wallets")
        try requireEqual(found.holds, append.holds, "holds")
        try requireEqual(Set(found.keys), Set(append.keys), "keys")
        try requireEqual(found.references, append.references, "references")
        try requireEqual(found.segment, append.segment, "the segment")
    }

    func bodyThatThrowsWritesNothing(_ bench: inout Bench) async throws {
        _ = try await bench.openWallets(1)
        let before = try await bench.read { try Everything($0) }
        var scribe = bench.scribe
        let append = try scribe.append([
            .openWallet(userID: "bob", currency: Fixture.currency("USD"))
        ])
        let key = APIKey(
            id: "key_9", hash: .sha256([9]), principal: "shop", scopes: .read,
            createdAt: bench.clock.now, revokedAt: nil)
        do {
            try await bench.store.write { transaction in
                try transaction.append(append)
                try transaction.insert(key)
                throw Abandoned()
            }
            throw Failure(description: "the body's error was swallowed")
        } catch is Abandoned {}
        try requireEqual(
            try await bench.read { try Everything($0) }, before, "what is left after an error")
        let keys = try await bench.read { try $0.apiKeys() }
        try requireEqual(keys, [], "API keys after an error")
        // The store goes on as if nothing had been.
        try await bench.store.write { try $0.append(append) }
        try requireEqual(
            try await bench.read { try $0.head() }, append.head, "the head of the next commit")
    }

    /// The first rows are good, the last is not: none may stay.
    func refusedAppendWritesNothing(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1)[0]
        var append = try bench.scribe.append([
            .deposit(wallet: wallet, amount: Fixture.amount(5), currency: nil, reference: "r")
        ])
        append.keys += append.keys
        try await requireRejection(of: append, by: bench, "an append whose last row is bad")
    }

    func transactionSeesItsOwnWrites(_ bench: inout Bench) async throws {
        let append = try bench.scribe.append([
            .openWallet(userID: "ada", currency: Fixture.currency("EUR"))
        ])
        let wallet = bench.scribe.wallets[0]
        let found = try await bench.store.write { transaction in
            try transaction.append(append)
            return (head: try transaction.head(), wallets: try transaction.wallets([wallet]))
        }
        try requireEqual(found.head, append.head, "the head within the transaction")
        try requireEqual(found.wallets, append.opened, "the wallet within the transaction")
    }

    func valueOfTheBodyIsReturned(_ bench: Bench) async throws {
        bench.clock.advance(byMicroseconds: 7)
        let now = try await bench.store.write { try $0.now() }
        try requireEqual(now, bench.clock.now, "the clock under the lock")
        let answer = try await bench.store.read { _ in 42 }
        try requireEqual(answer, 42, "the value of a read")
    }

    /// A reader that began before a write sees the old ledger until it ends, and the writer does
    /// not wait for it.
    func snapshotKeepsItsHead(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1)[0]
        let before = try await bench.read { try Everything($0) }
        let append = try bench.scribe.append([
            .deposit(wallet: wallet, amount: Fixture.amount(5), currency: nil, reference: nil)
        ])
        let store = bench.store
        let started = Gate(isOpen: false)
        let written = DispatchSemaphore(value: 0)
        let reading = Reading(store: store, started: started, written: written)
        async let seen = reading.run()
        await started.pass()
        try await store.write { try $0.append(append) }
        written.signal()
        let (first, second, inTime) = try await seen
        try require(inTime, "the writer waited for the reader")
        try requireEqual(first, before, "what the reader saw first")
        try requireEqual(second, before, "what the reader saw after the write")
        try requireEqual(
            try await bench.read { try $0.head() }, append.head, "the head of a new reader")
    }

    private struct Reading: Sendable {
        let store: any LedgerStore
        let started: Gate
        let written: DispatchSemaphore

        func run() async throws -> (Everything, Everything, Bool) {
            try await withTaskExecutorPreference(OwnThread()) {
                try await store.read { [started, written] snapshot in
                    let first = try Everything(snapshot)
                    started.open()
                    let inTime = written.wait(timeout: .now() + 10) == .success
                    return (first, try Everything(snapshot), inTime)
                }
            }
        }
    }

    /// Each writer reads the head and appends after it; without the lock, positions would be
    /// written twice or skipped.
    func writersComeOneAfterTheOther(_ bench: Bench) async throws {
        let store = bench.store
        let writers: Int64 = 40
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    try await store.write { transaction in
                        var scribe = Scribe(after: try transaction.head())
                        var append = try scribe.append([
                            .openWallet(
                                userID: "user-\(writer)", currency: Fixture.currency("EUR"))
                        ])
                        append.keys = []
                        try transaction.append(append)
                    }
                }
            }
            try await group.waitForAll()
        }
        let found = try await bench.read { try Everything($0) }
        try requireEqual(found.head.position, writers, "the position after all writers")
        try requireEqual(found.wallets.count, Int(writers), "the wallets of all writers")
        try requireEqual(found.tally.segments, writers, "the segments of all writers")
    }

    func logHasNoGaps(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1)[0]
        var ahead = bench.scribe
        let deposit = Command.deposit(
            wallet: wallet, amount: Fixture.amount(5), currency: nil, reference: nil)
        let skipped = try ahead.append([deposit])
        let late = try ahead.append([deposit])
        try await requireRejection(of: late, by: bench, "an append after a gap")
        try await bench.store.write { try $0.append(skipped) }
        try await requireRejection(of: skipped, by: bench, "an append at a position that is taken")
        try await bench.store.write { try $0.append(late) }
        try requireEqual(try await bench.read { try $0.head() }, late.head, "the head at last")
    }

    func segmentsAreFoundByAnyPosition(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(3)[0]
        let deposit = Command.deposit(
            wallet: wallet, amount: Fixture.amount(1), currency: nil, reference: nil)
        for count in [1, 5, 2] { try await bench.write(Array(repeating: deposit, count: count)) }
        let last = bench.scribe.head.position
        let events = bench.scribe.events
        try await bench.read { [self] snapshot in
            for position in 1...last {
                guard let segment = try snapshot.segment(containing: position) else {
                    throw Failure(description: "no segment has position \(position)")
                }
                let record = try segment.record(at: position)
                try requireEqual(
                    try record?.event(), events[Int(position) - 1], "the event at \(position)")
            }
            try requireEqual(
                try snapshot.segment(containing: last + 1), nil, "a segment after the end")
            try requireEqual(try snapshot.segment(containing: -1), nil, "a segment before 1")
            let some = try snapshot.events(at: [last, 1, 4, 4, last + 9])
            try requireEqual(Set(some.keys), [1, 4, last], "the positions that were found")
        }
    }

    func everythingIsCounted(_ bench: inout Bench) async throws {
        let wallets = try await bench.openWallets(3)
        try await bench.write([
            .transfer(
                from: wallets[0], to: wallets[1], amount: Fixture.amount(10), currency: nil,
                reference: "r"),
            .placeHold(
                wallet: wallets[2], amount: Fixture.amount(1), currency: nil, expiresAt: nil,
                reference: nil),
        ])
        let transfer = bench.scribe.transactions[3]
        try await bench.write([.reverse(transaction: transfer, amount: Fixture.amount(4))])
        let tally = try await bench.read { try $0.tally() }
        var expected = Tally()
        expected.wallets = 3
        expected.entries = 3 + 3 + 2 + 1 + 2
        expected.holds = 1
        expected.keys = 9
        expected.references = 1
        expected.reversals = 1
        expected.segments = 4
        try requireEqual(tally, expected, "the rows")
    }
}
