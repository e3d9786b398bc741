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
        #expect(try migrations() == [1, 2, 3, 999])
    }

    @Test func migrationsAreAppliedOnce() throws {
        for _ in 0..<3 { _ = try folder.open() }
        #expect(try migrations() == [1, 2, 3])
    }

    @Test func migrationThatFailsLeavesNothing() throws {
        // A table of the same name is in the way, so that the first step cannot be taken.
        let other = try folder.connect()
        try other.execute("CREATE TABLE texts (anything)")
        #expect(throws: StoreError.self) { try folder.open() }
        let tables = try other.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .rows { String(decoding: $0.blob(0), as: UTF8.self) }
        #expect(tables == ["texts"])
    }
}
