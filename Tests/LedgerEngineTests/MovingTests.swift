import LedgerEngine
import Synchronization
import Testing
import WalletCore
import WalletTesting

/// A ledger in memory with text, a refusal and an API key, and what an export of it says.
private struct Moved {
    let store: InMemoryLedgerStore
    var scribe: Scribe
    let key = APIKey(
        id: "key_1", hash: .sha256([1]), principal: "shop", scopes: [.read, .write],
        createdAt: ManualClock.start, revokedAt: nil)
    let refusal = RefusalRecord(
        key: .sha256([2]), fingerprint: .sha256([3]), recordedAt: ManualClock.start,
        requestID: "request \"é\"", refusal: Refusal(.insufficientFunds))

    init(wallets: Int = 3, transfers: Int = 5) async throws {
        store = InMemoryLedgerStore(ledger: Fixture.ledger, now: { ManualClock.start })
        scribe = Scribe(after: try await store.read { try $0.head() })
        let currency = Fixture.currency("EUR")
        try await write(
            (0..<wallets).map { .openWallet(userID: "user \($0)", currency: currency) },
            text: FreeText(description: "a\ntext", metadata: ["é": "b"]))
        let opened = scribe.wallets
        try await write(
            opened.map {
                .deposit(
                    wallet: $0, amount: Fixture.amount(1_000), currency: nil,
                    reference: "order")
            })
        try await write(
            (0..<transfers).map { index in
                .transfer(
                    from: opened[index % wallets], to: opened[(index + 1) % wallets],
                    amount: Fixture.amount(7), currency: nil, reference: nil)
            })
        let (key, refusal) = (key, refusal)
        var beside = Append(head: scribe.head)
        beside.refusals = [refusal]
        try await store.write { [beside] transaction in
            try transaction.insert(key)
            try transaction.append(beside)
        }
    }

    private mutating func write(_ commands: [Command], text: FreeText = FreeText()) async throws {
        let append = try scribe.append(commands, text: text)
        try await store.write { try $0.append(append) }
    }

    func lines(from position: Int64 = 1) async throws -> [[UInt8]] {
        let written = Mutex<[UInt8]>([])
        _ = try await Exporter(store: store).export(
            from: position, write: { bytes in written.withLock { $0 += bytes } })
        return written.withLock { $0 }.split(separator: UInt8(ascii: "\n")).map(Array.init)
    }
}

private func emptyStore() -> InMemoryLedgerStore {
    InMemoryLedgerStore(ledger: LedgerID(high: 5, low: 5), now: { ManualClock.start })
}

@discardableResult
private func take(_ lines: [[UInt8]], into store: some LedgerStore) async throws -> Head {
    let rest = Mutex(lines[...])
    return try await Importer(into: store, emptyLedger: LedgerID(high: 6, low: 6)).run {
        rest.withLock { $0.popFirst() }
    }
}

/// A store in which another import begins after each write.
private struct DisplacedStore: LedgerStore {
    let base: InMemoryLedgerStore
    let mark: Instant

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerSnapshot) throws -> Value
    ) async throws -> Value {
        try await base.read(body)
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerTransaction) throws -> Value
    ) async throws -> Value {
        let value = try await base.write(body)
        try await base.write { try $0.setUnfinishedImport(mark) }
        return value
    }
}

@Suite struct MovingTests {
    @Test func ledgerArrivesWholeOnATimelineOfItsOwn() async throws {
        let ledger = try await Moved()
        let target = emptyStore()
        let head = try await take(try await ledger.lines(), into: target)
        #expect(head.hash == ledger.scribe.head.hash && head.ledger == Fixture.ledger)
        #expect(head.epoch > ledger.scribe.head.epoch)
        let summary = try await Verifier(store: target).verify()
        #expect(summary.head == head && summary.wallets == 3)
        let beside = try await target.read { snapshot in
            (
                try snapshot.apiKeys(), try snapshot.refusals(after: nil, limit: 9),
                try snapshot.texts(after: 0, limit: 9), try snapshot.epochs()
            )
        }
        #expect(beside.0 == [ledger.key] && beside.1 == [ledger.refusal])
        #expect(beside.2.map(\.position) == [1, 2, 3])
        #expect(
            beside.3 == [
                Epoch(epoch: ledger.scribe.head.epoch, firstPosition: 1),
                Epoch(epoch: head.epoch, firstPosition: head.position + 1),
            ])
    }

    @Test func tokensOfPositionsThatArrivedAreKnownAndLaterOnesAreNot() async throws {
        let ledger = try await Moved()
        let target = emptyStore()
        try await take(try await ledger.lines(), into: target)
        let queries = Queries(store: target, now: { ManualClock.start })
        let old = ledger.scribe.head
        let wallet = ledger.scribe.wallets[0]
        for position in [0, 1, old.position] {
            let token = ConsistencyToken(epoch: old.epoch, position: position)
            #expect(try await queries.wallet(wallet, after: token).value != nil)
        }
        let lost = ConsistencyToken(epoch: old.epoch, position: old.position + 1)
        await #expect(throws: QueryError.unknownToken) {
            try await queries.wallet(wallet, after: lost)
        }
    }

    @Test func manyTransactionsAndSegmentsMakeTheSameLedger() async throws {
        let ledger = try await Moved(wallets: 50, transfers: 5_000)
        let target = emptyStore()
        let told = Mutex<[Int64]>([])
        let rest = Mutex(try await ledger.lines()[...])
        let head = try await Importer(into: target, emptyLedger: LedgerID(high: 6, low: 6)).run(
            progress: { position, last in
                #expect(last == 5_100)
                told.withLock { $0.append(position) }
            }, nextLine: { rest.withLock { $0.popFirst() } })
        #expect(head.hash == ledger.scribe.head.hash)
        #expect(told.withLock { $0 } == [4_096, 5_100])
        _ = try await Verifier(store: target).verify()
    }

    @Test func serviceDoesNothingWhileAnImportIsUnfinished() async throws {
        let target = emptyStore()
        try await target.write { try $0.setUnfinishedImport(ManualClock.start) }
        let queries = Queries(store: target, now: { ManualClock.start })
        await #expect(throws: StoreError.self) {
            try await queries.wallet(WalletID(high: 1, low: 1), after: nil)
        }
        let sequencer = Sequencer(store: target, limits: .init(), entropy: { 1 }, report: { _ in })
        async let running: Void = sequencer.run()
        await #expect(throws: SubmissionError.unavailable) {
            try await sequencer.submit(
                Fixture.submission(
                    .openWallet(userID: "ada", currency: Fixture.currency("EUR")), key: "k"))
        }
        sequencer.stop()
        await running
        #expect(try await target.read { try $0.head().position } == 0)
    }

    @Test func lineThatIsWrongEmptiesTheLedgerAgain() async throws {
        let ledger = try await Moved()
        var lines = try await ledger.lines()
        lines[9][lines[9].count - 3] ^= 1
        let target = emptyStore()
        let fault = await #expect(throws: Importer.Fault.self) {
            try await take(lines, into: target)
        }
        #expect(fault?.line == 10)
        let left = try await target.read { (try $0.tally(), try $0.head(), try $0.apiKeys()) }
        #expect(left.0 == Tally() && left.2.isEmpty)
        #expect(left.1.position == 0 && left.1.ledger == LedgerID(high: 6, low: 6))
        try await take(try await ledger.lines(), into: target)
    }

    @Test func importThatWasCutOffIsBegunAnew() async throws {
        let ledger = try await Moved()
        let lines = try await ledger.lines()
        let target = emptyStore()
        // What is left is what a process that ended after its first transaction leaves.
        let head = Head(new: Fixture.ledger, at: ManualClock.start)
        try await target.write { transaction in
            try transaction.setTimeline(
                head, epochs: [Epoch(epoch: head.epoch, firstPosition: 1)])
            try transaction.setUnfinishedImport(ManualClock.start)
            try transaction.insert(ledger.key)
        }
        try await take(lines, into: target)
        #expect(try await target.read { try $0.unfinishedImport() } == nil)
        _ = try await Verifier(store: target).verify()
    }

    @Test func importThatIsDisplacedLeavesTheOtherAlone() async throws {
        let ledger = try await Moved()
        let target = emptyStore()
        let rest = Mutex(try await ledger.lines()[...])
        let other = ManualClock.start.advanced(byMicroseconds: 1)
        let displaced = DisplacedStore(base: target, mark: other)
        await #expect(throws: Importer.Obstacle.displaced) {
            try await Importer(into: displaced, emptyLedger: LedgerID(high: 6, low: 6)).run {
                rest.withLock { $0.popFirst() }
            }
        }
        #expect(try await target.read { try $0.unfinishedImport() } == other)
    }

    @Test func ledgerThatIsNotEmptyIsLeftAlone() async throws {
        let ledger = try await Moved()
        let lines = try await ledger.lines()
        await #expect(throws: Importer.Obstacle.notEmpty) {
            try await take(lines, into: ledger.store)
        }
        #expect(try await ledger.lines() == lines)
    }

    @Test func exportOfAPartNamesWhatItFollows() async throws {
        let ledger = try await Moved()
        let whole = try await ledger.lines()
        let part = try await ledger.lines(from: 5)
        #expect(part[1...7] == whole[5...11])
        await #expect(throws: Importer.Fault.self) { try await take(part, into: emptyStore()) }
        for position: Int64 in [0, -1, 13] {
            await #expect(throws: Exporter.Fault.unknownPosition(position)) {
                try await ledger.lines(from: position)
            }
        }
    }

    @Test func erasedTextIsGoneAndTheLedgerStillProves() async throws {
        let ledger = try await Moved()
        let eraser = Eraser(store: ledger.store)
        let wallet = ledger.scribe.wallets[1]
        #expect(try await eraser.erase(.wallet(wallet)) == 1)
        #expect(try await eraser.erase(.wallet(wallet)) == 0)
        #expect(try await eraser.erase(.position(1)) == 1)
        #expect(try await eraser.erase(.transaction(ledger.scribe.transactions[0])) == 0)
        #expect(try await ledger.store.read { try $0.texts(after: 0, limit: 9).count } == 1)
        _ = try await Verifier(store: ledger.store).verify()
        let nothing = TransactionID(high: 1, low: 1)
        for target in [.position(0), .position(99), .transaction(nothing)] as [Eraser.Target] {
            await #expect(throws: Eraser.NotFound.self) { try await eraser.erase(target) }
        }
        await #expect(throws: Eraser.NotFound.self) {
            try await eraser.erase(.wallet(WalletID(high: 1, low: 1)))
        }
    }
}
