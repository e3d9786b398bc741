import LedgerEngine
import LedgerStores
import Testing
import WalletTesting

@Suite struct SQLiteMigratorTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Opens the ledger, changes its file from outside, and opens it again.
    private func reopen(after sql: String) throws -> StoreError? {
        _ = try folder.open()
        let other = try folder.connect()
        try other.execute(sql)
        return #expect(throws: StoreError.self) { try folder.open() }
    }

    private func migrations() throws -> [Int64] {
        try folder.connect().prepare("SELECT number FROM schema_migrations ORDER BY number")
            .rows { $0.integer(0) }
    }

    @Test func migrationThatIsNotTheOneAppliedIsRefused() throws {
        let error = try reopen(after: "UPDATE schema_migrations SET checksum = zeroblob(32)")
        #expect(
            error
                == .corrupted(reason: "migration 1 is not the one that was applied"))
    }

    @Test func fileOfANewerProgramIsRefusedAndLeftAlone() throws {
        let error = try reopen(
            after: "INSERT INTO schema_migrations VALUES (999, zeroblob(32), 0)")
        #expect(
            error
                == .corrupted(
                    reason: "the file was written by a newer version of this program; use that one")
        )
        #expect(try migrations() == [1, 999])
    }

    @Test func migrationsAreAppliedOnce() throws {
        for _ in 0..<3 { _ = try folder.open() }
        #expect(try migrations() == [1])
    }

    @Test func migrationThatFailsLeavesNothing() throws {
        // Its tables are in the way, all but the first that it makes.
        let error = try reopen(after: "DELETE FROM schema_migrations; DROP TABLE log")
        #expect(error != nil)
        let other = try folder.connect()
        let tables = try other.prepare("SELECT name FROM sqlite_schema WHERE name = 'log'")
            .rows { String(decoding: $0.blob(0), as: UTF8.self) }
        #expect(tables == [])
        #expect(try migrations() == [])
    }

    @Test func whatReadsAppliesNothing() throws {
        _ = try folder.open()
        try folder.connect().execute("DELETE FROM schema_migrations")
        let error = #expect(throws: StoreError.self) {
            try folder.open { $0.access = .reading }
        }
        #expect(error?.isOlderVersion == true)
        #expect(try migrations() == [])
    }
}

extension StoreError {
    fileprivate var isOlderVersion: Bool {
        guard case .unavailable(let reason) = self else { return false }
        return reason.contains("older version")
    }
}
