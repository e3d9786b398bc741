import Dispatch
import Foundation
import LedgerEngine
import LedgerStores
import Testing
import WalletCore
import WalletTesting

@Suite struct SQLiteLedgerStoreTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Writes a few commits; hands back the scribe who knows what is in them.
    private func fill(_ store: SQLiteLedgerStore) async throws -> Scribe {
        var scribe = Scribe(after: try await store.read { try $0.head() })
        let currency = Fixture.currency("EUR")
        try await write(
            try scribe.append(
                [
                    .openWallet(userID: "ada", currency: currency),
                    .openWallet(userID: "bob", currency: currency),
                ], text: FreeText(description: "a text")), to: store)
        let (ada, bob) = (scribe.wallets[0], scribe.wallets[1])
        for amount: Int64 in 1...20 {
            let amount = Fixture.amount(amount)
            try await write(
                try scribe.append([
                    .deposit(
                        wallet: ada, amount: amount, currency: nil,
                        reference: "order-\(amount.minorUnits)"),
                    .transfer(
                        from: ada, to: bob, amount: amount, currency: nil, reference: nil),
                    .placeHold(
                        wallet: bob, amount: amount, currency: nil, expiresAt: nil, reference: nil),
                ]), to: store)
        }
        let deposit = scribe.transactions[0]
        try await write(
            try scribe.append([
                .deposit(
                    wallet: ada, amount: Fixture.amount(50), currency: nil, reference: nil),
                .reverse(transaction: deposit, amount: nil),
            ]), to: store)
        return scribe
    }

    private func write(_ append: Append, to store: SQLiteLedgerStore) async throws {
        try await store.write { try $0.append(append) }
    }

    private func pragma(
        _ name: String, of snapshot: any LedgerSnapshot
    ) throws -> String? {
        let session = try #require(snapshot as? SQLiteSession)
        return try session.connection.prepare("PRAGMA \(name)").first { row in
            String(decoding: row.blob(0), as: UTF8.self)
        }
    }

    // MARK: What is on the disk

    @Test func writesAreDurableBecauseTheLogIsSyncedAtEachCommit() async throws {
        let store = try folder.open()
        let found = try await store.write { transaction in
            [
                try pragma("journal_mode", of: transaction),
                try pragma("synchronous", of: transaction),
                try pragma("trusted_schema", of: transaction),
            ]
        }
        #expect(found == ["wal", "2", "0"])
        let other = try folder.connect()
        let mode = try other.prepare("PRAGMA journal_mode").first { $0.blob(0) }
        #expect(mode == Array("wal".utf8))
    }

    @Test func readersCannotWrite() async throws {
        let store = try folder.open()
        _ = try await fill(store)
        let (isQueryOnly, error) = try await store.read { snapshot in
            let session = try #require(snapshot as? SQLiteSession)
            let error = #expect(throws: StoreError.self) {
                try session.connection.execute("DELETE FROM texts")
            }
            return (try pragma("query_only", of: snapshot), error)
        }
        #expect(isQueryOnly == "1")
        #expect(error != nil)
        #expect(try await store.read { try $0.texts([1]) }.count == 1)
    }

    @Test func reopenedFileHasEverything() async throws {
        let scribe: Scribe
        do {
            scribe = try await fill(try folder.open())
        }
        let store = try folder.open()
        #expect(try await store.read { try $0.head() } == scribe.head)
        let summary = try await Verifier(store: store).verify()
        #expect(summary.head == scribe.head)
        #expect(summary.external == scribe.state.external)
    }

    @Test func filesCopiedAfterACommitAreTheLedgerAsItWas() async throws {
        let store = try folder.open()
        let scribe = try await fill(store)
        // What a process leaves behind that dies here: the file and the log, nothing closed.
        let copy = try TemporaryFolder()
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(
                atPath: folder.ledger + suffix, toPath: copy.ledger + suffix)
        }
        let revived = try copy.open()
        let summary = try await Verifier(store: revived).verify()
        #expect(summary.head == scribe.head)
    }

    @Test func fileAloneIsTheLedgerAfterTheLogWasFolded() async throws {
        let store = try folder.open()
        let scribe = try await fill(store)
        #expect(try folder.size(of: "-wal") > 0)
        try await store.foldWriteAheadLog()
        #expect(try folder.size(of: "-wal") == 0)
        let copy = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: folder.ledger, toPath: copy.ledger)
        #expect(try await Verifier(store: try copy.open()).verify().head == scribe.head)
    }

    /// A reader needs what is in the log; folding gives up in time and harms neither.
    @Test func foldingBesideAReaderLosesNothing() async throws {
        let store = try folder.open { $0.busyTimeoutMilliseconds = 100 }
        var scribe = try await fill(store)
        let before = scribe.head
        let started = Gate(isOpen: false)
        let finished = DispatchSemaphore(value: 0)
        async let seen = store.read { snapshot in
            let first = try snapshot.head()
            started.open()
            return (first, finished.wait(timeout: .now() + 10) == .success, try snapshot.head())
        }
        await started.pass()
        try await write(try scribe.append([.freezeWallet(scribe.wallets[0])]), to: store)
        let start = ContinuousClock.now
        try await store.foldWriteAheadLog()
        #expect(ContinuousClock.now - start < .seconds(8))
        finished.signal()
        let (first, inTime, second) = try await seen
        #expect(inTime && first == before && second == before)
        #expect(try await Verifier(store: store).verify().head == scribe.head)
    }

    @Test func ledgerIsMadeOnceHoweverManyOpenIt() async throws {
        let folder = folder
        let ledgers = try await withThrowingTaskGroup(of: Head.self) { group in
            for index in 0..<6 {
                group.addTask {
                    let clock = ManualClock(
                        ManualClock.start.advanced(byMicroseconds: Int64(index)))
                    let store = try folder.open(clock)
                    return try await store.read { try $0.head() }
                }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(ledgers.count == 1)
    }

    // MARK: The log is append-only

    @Test(arguments: [
        "UPDATE log SET body = x'00'",
        "UPDATE OR REPLACE log SET recorded_at = 0 WHERE first_position = 1",
        "DELETE FROM log",
        "DELETE FROM log WHERE first_position = (SELECT MAX(first_position) FROM log)",
        "INSERT INTO log VALUES (1, 2, 0, x'00')",
        "INSERT OR REPLACE INTO log VALUES (1, 2, 0, x'00')",
        "INSERT INTO log VALUES (1000, 1000, 0, x'00')",
        "REPLACE INTO log SELECT * FROM log",
    ])
    func databaseRefusesToRewriteTheLog(_ sql: String) async throws {
        let store = try folder.open()
        let scribe = try await fill(store)
        let other = try folder.connect()
        let error = #expect(throws: StoreError.self) { try other.execute(sql) }
        guard case .rejected? = error else {
            Issue.record("refused with \(String(describing: error))")
            return
        }
        #expect(try await Verifier(store: store).verify().head == scribe.head)
    }

    // MARK: Others who hold the file

    @Test func writeIsUnavailableWhileAnotherHoldsTheFile() async throws {
        let store = try folder.open { $0.busyTimeoutMilliseconds = 200 }
        var scribe = try await fill(store)
        let before = scribe.head
        let append = try scribe.append([
            .freezeWallet(scribe.wallets[0])
        ])
        let other = try folder.connect()
        try other.execute("BEGIN IMMEDIATE")
        let start = ContinuousClock.now
        let error = await #expect(throws: StoreError.self) { try await write(append, to: store) }
        let waited = ContinuousClock.now - start
        guard case .unavailable? = error else {
            Issue.record("failed with \(String(describing: error))")
            return
        }
        #expect(waited >= .milliseconds(150) && waited < .seconds(5))
        #expect(try await store.read { try $0.head() } == before, "reads go on")
        try other.execute("COMMIT")
        try await write(append, to: store)
        #expect(try await store.read { try $0.head() } == scribe.head)
    }

    @Test func readerDoesNotWaitForAWriter() async throws {
        let store = try folder.open()
        let scribe = try await fill(store)
        let started = Gate(isOpen: false)
        let finished = DispatchSemaphore(value: 0)
        async let wasInTime = store.write { _ in
            started.open()
            return finished.wait(timeout: .now() + 10) == .success
        }
        await started.pass()
        for _ in 0..<10 {
            #expect(try await store.read { try $0.head() } == scribe.head)
        }
        finished.signal()
        #expect(try await wasInTime)
    }

    // MARK: What goes wrong

    @Test func fullDiskIsUnavailableAndWritesNothing() async throws {
        let store = try folder.open()
        var scribe = try await fill(store)
        let before = scribe.head
        var append = try scribe.append([.freezeWallet(scribe.wallets[0])])
        append.segment?.body += Array(repeating: 0, count: 1 << 20)
        let large = append
        let error = await #expect(throws: StoreError.self) {
            try await store.write { transaction in
                let session = try #require(transaction as? SQLiteSession)
                try session.connection.execute("PRAGMA max_page_count = 1")
                try transaction.append(large)
            }
        }
        #expect(error == .unavailable(reason: "the disk is full"))
        #expect(try await store.read { try $0.head() } == before)
        try await store.write { transaction in
            let session = try #require(transaction as? SQLiteSession)
            try session.connection.execute("PRAGMA max_page_count = 1000000")
            try transaction.append(large)
        }
        #expect(try await store.read { try $0.head() } == scribe.head)
    }

    @Test func rowThatCannotBeReadIsCorruptionWithoutDetail() async throws {
        let store = try folder.open()
        let scribe = try await fill(store)
        let other = try folder.connect()
        try other.execute("UPDATE wallets SET currency = x'3F3F3F'")
        let wallet = scribe.wallets[0]
        await #expect(throws: StoreError.corrupted(reason: "a row cannot be read")) {
            try await store.read { try $0.wallets([wallet]) }
        }
        try other.execute("DELETE FROM log_head")
        await #expect(throws: StoreError.corrupted(reason: "the log has no head")) {
            try await store.read { try $0.head() }
        }
    }

    @Test func fileThatIsNoDatabaseIsRefused() throws {
        try Data(repeating: 7, count: 8_192).write(to: URL(filePath: folder.ledger))
        let error = #expect(throws: StoreError.self) { try folder.open() }
        guard case .corrupted(let reason)? = error else {
            Issue.record("refused with \(String(describing: error))")
            return
        }
        #expect(!reason.contains(folder.path))
    }

    @Test func folderThatDoesNotExistIsUnavailableAndNotNamed() throws {
        let error = #expect(throws: StoreError.self) {
            try SQLiteLedgerStore(
                .init(path: folder.path + "/nowhere/ledger.sqlite"), newLedger: Fixture.ledger,
                now: { ManualClock.start })
        }
        guard case .unavailable(let reason)? = error else {
            Issue.record("refused with \(String(describing: error))")
            return
        }
        #expect(!reason.contains("nowhere"))
    }

    @Test func commitDelayIsAddedToEachCommit() async throws {
        let store = try folder.open { $0.commitDelay = .milliseconds(30) }
        let start = ContinuousClock.now
        for _ in 0..<3 { try await store.write { _ in } }
        #expect(ContinuousClock.now - start >= .milliseconds(90))
    }
}
