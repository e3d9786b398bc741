import Foundation
import LedgerEngine
import LedgerStores
import Testing
import WalletCore
import WalletTesting

/// What the store does with files that are there, not there, somebody else's, or gone.
@Suite struct SQLiteFileTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private var names: Set<String> {
        get throws { Set(try FileManager.default.contentsOfDirectory(atPath: folder.path)) }
    }

    private func bytes() throws -> Data { try Data(contentsOf: URL(filePath: folder.ledger)) }

    private func openWallet(in store: SQLiteLedgerStore) async throws -> Append {
        var scribe = Scribe(after: try await store.read { try $0.head() })
        let append = try scribe.append([
            .openWallet(userID: "ada", currency: Fixture.currency("EUR"))
        ])
        try await store.write { try $0.append(append) }
        return append
    }

    // MARK: No ledger

    @Test(arguments: [SQLiteLedgerStore.Access.reading, .writing])
    func ledgerIsNotMadeUnlessThatIsAskedFor(_ access: SQLiteLedgerStore.Access) throws {
        #expect(throws: MissingLedger.noFile) { try folder.open { $0.access = access } }
        #expect(try names.isEmpty)
    }

    @Test(arguments: [SQLiteLedgerStore.Access.reading, .writing, .creating])
    func fileThatIsNoLedgerIsLeftAsItIs(_ access: SQLiteLedgerStore.Access) throws {
        try Data().write(to: URL(filePath: folder.ledger))
        #expect(throws: MissingLedger.notInFile) { try folder.open { $0.access = access } }
        #expect(try bytes().isEmpty)

        try folder.connect().execute("CREATE TABLE texts (anything)")
        let before = try bytes()
        #expect(throws: MissingLedger.notInFile) { try folder.open { $0.access = access } }
        #expect(try bytes() == before)
        #expect(try names == ["ledger.sqlite"])
    }

    @Test func newLedgerIsWholeAndNothingElseIsLeftOfItsMaking() throws {
        #expect(try folder.open().isNew)
        #expect(try !folder.open().isNew)
        let whole = Set(SQLiteFile.suffixes.map { "ledger.sqlite" + $0 })
        #expect(try names.isSubset(of: whole))
    }

    @Test func writeAheadLogOfALedgerThatIsGoneIsNotTakenForTheNewOnes() async throws {
        let store = try folder.open()
        _ = try await openWallet(in: store)
        try FileManager.default.removeItem(atPath: folder.ledger)
        let error = #expect(throws: StoreError.self) { try folder.open() }
        guard case .unavailable(let reason)? = error else {
            Issue.record("refused with \(String(describing: error))")
            return
        }
        #expect(reason.contains("write-ahead log"))
        #expect(try !names.contains("ledger.sqlite"))
    }

    // MARK: Reading only

    @Test func readingWritesNothing() async throws {
        do { _ = try await openWallet(in: try folder.open()) }
        try SQLiteFile.putAtRest(folder.ledger)
        let before = try bytes()
        let store = try folder.open { $0.access = .reading }
        let summary = try await Verifier(store: store).verify()
        #expect(summary.head.position == 1)
        await #expect(
            throws: StoreError.unavailable(reason: "the ledger was opened for reading only")
        ) {
            try await store.write { _ in }
        }
        #expect(try bytes() == before)
        #expect(try names == ["ledger.sqlite"])
    }

    @Test func readingSeesWhatIsOnlyInTheWriteAheadLog() async throws {
        let writer = try folder.open()
        let append = try await openWallet(in: writer)
        let before = try bytes()
        let store = try folder.open { $0.access = .reading }
        #expect(try await store.read { try $0.head() } == append.head)
        #expect(try bytes() == before)
    }

    // MARK: A file that goes away

    @Test func fileThatWasMovedTakesNoMoreWritesAndShowsNothing() async throws {
        let store = try folder.open()
        let append = try await openWallet(in: store)
        let moved = StoreError.unavailable(reason: "the ledger's file has been moved or deleted")
        try FileManager.default.moveItem(
            atPath: folder.ledger, toPath: folder.ledger + ".elsewhere")
        await #expect(throws: moved) { try await store.write { _ in } }
        await #expect(throws: moved) { try await store.read { try $0.head() } }

        // Another file in its place is not the ledger either.
        try Data("another".utf8).write(to: URL(filePath: folder.ledger))
        await #expect(throws: moved) { try await store.write { _ in } }

        try FileManager.default.removeItem(atPath: folder.ledger)
        try FileManager.default.moveItem(
            atPath: folder.ledger + ".elsewhere", toPath: folder.ledger)
        #expect(try await store.read { try $0.head() } == append.head)
    }

    // MARK: One service

    @Test func onlyOneServesALedgerAndThePlaceIsFreeAfterIt() throws {
        let path = folder.ledger
        do {
            let first = try ServiceLock(besides: path, isPatient: false)
            let second = try ServiceLock(besides: path, isPatient: false)
            #expect(first != nil && second == nil)
            let link = folder.path + "/link.sqlite"
            _ = try folder.open()
            try FileManager.default.createSymbolicLink(
                atPath: link, withDestinationPath: path)
            #expect(try ServiceLock(besides: link, isPatient: false) == nil)
        }
        #expect(try ServiceLock(besides: path, isPatient: false) != nil)
    }

    // MARK: The database's own checks

    @Test(arguments: [
        ("DROP TRIGGER log_is_append_only_update", "log_is_append_only_update"),
        ("DROP INDEX holds_due", "holds_due"),
        ("DROP INDEX holds_due; CREATE INDEX holds_due ON holds (status)", "holds_due"),
        (
            "CREATE TRIGGER tax AFTER UPDATE ON wallets BEGIN UPDATE holds SET amount = 1; END",
            "tax"
        ),
    ])
    func schemaThatIsNotOursIsNotSound(_ sql: String, _ name: String) async throws {
        let store = try folder.open()
        _ = try await openWallet(in: store)
        try folder.connect().execute(sql)
        let error = await #expect(throws: StoreError.self) {
            try await Verifier(store: try folder.open { $0.access = .reading }).verify()
        }
        guard case .corrupted(let reason)? = error else {
            Issue.record("refused with \(String(describing: error))")
            return
        }
        #expect(reason.contains(name))
    }

    @Test func indexThatLacksARowIsNotSound() async throws {
        let store = try folder.open()
        var append = try await openWallet(in: store)
        append = Append(head: append.head)
        append.refusals = [
            RefusalRecord(
                key: .sha256([1]), fingerprint: .zero, recordedAt: ManualClock.start,
                requestID: "r", refusal: Refusal(.insufficientFunds))
        ]
        let written = append
        try await store.write { try $0.append(written) }
        // The index is emptied behind the table's back: its tree is made that of an empty one.
        let other = try folder.connect()
        try other.execute(
            """
            CREATE TABLE empty (recorded_at INTEGER, key BLOB);
            CREATE INDEX empty_index ON empty (recorded_at, key);
            PRAGMA writable_schema = ON;
            UPDATE sqlite_schema
            SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'empty_index')
            WHERE name = 'refusals_by_age';
            """)
        let error = await #expect(throws: StoreError.self) {
            try await Verifier(store: try folder.open { $0.access = .reading }).verify()
        }
        guard case .corrupted? = error else {
            Issue.record("refused with \(String(describing: error))")
            return
        }
    }

    @Test func indexOfSomebodyElseDoesNoHarm() async throws {
        let store = try folder.open()
        _ = try await openWallet(in: store)
        try folder.connect().execute("CREATE INDEX mine ON entries (type)")
        _ = try await Verifier(store: store).verify()
    }

    @Test func segmentOfImpossiblePositionsIsAFaultAndNoTrap() async throws {
        let store = try folder.open()
        _ = try await openWallet(in: store)
        try folder.connect().execute(
            "DROP TRIGGER log_is_append_only_update; UPDATE log SET last_position = \(Int64.max)")
        let fault = await #expect(throws: Verifier.Fault.self) {
            try await Verifier(store: store).verify()
        }
        #expect(fault?.position == 1)
    }

    @Test func userOfCanonicallyEquivalentNameIsAnotherUser() async throws {
        let store = try folder.open()
        var scribe = Scribe(after: try await store.read { try $0.head() })
        let append = try scribe.append([
            .openWallet(userID: "ren\u{E9}", currency: Fixture.currency("EUR"))
        ])
        try await store.write { try $0.append(append) }
        try folder.connect().execute("UPDATE wallets SET user_id = x'72656E65CC81'")
        let fault = await #expect(throws: Verifier.Fault.self) {
            try await Verifier(store: store).verify()
        }
        #expect(fault?.reason.contains("\(scribe.wallets[0])") == true)
    }
}
