import LedgerEngine
import WalletCore

/// Why there is no ledger to be opened.
package enum MissingLedger: Error, Hashable {
    /// There is no file.
    case noFile
    /// The file is empty, or another program's.
    case notInFile
}

/// Brings a file's tables up to date; what has been applied is known by number and checksum.
struct SQLiteMigrator {
    private let connection: SQLiteConnection

    init(_ connection: SQLiteConnection) {
        self.connection = connection
    }

    /// Makes the tables of a new file, and the ledger in it.
    func make(_ ledger: LedgerID, now: Instant) throws {
        try transact {
            try applyMissing(now: now)
            let head = Head(new: ledger, at: now)
            try connection.prepare("INSERT INTO log_head VALUES (1, ?, ?, ?, ?, ?)").run(
                .blob(head.ledger.bytes), .integer(head.epoch), .integer(head.position),
                .blob(head.hash.bytes), .integer(head.recordedAt.microseconds))
            try connection.prepare("INSERT INTO epochs VALUES (?, 1)").run(.integer(head.epoch))
        }
    }

    /// Applies what is missing to a ledger's file; all of it or nothing.
    func migrate(now: Instant) throws {
        try transact { try applyMissing(now: now) }
    }

    /// Requires that nothing has to be applied, for those who must not write.
    func requireUpToDate() throws {
        guard try missing(in: try applied()).isEmpty else {
            throw StoreError.unavailable(
                reason: "it was written by an older version of this program; start the service "
                    + "on it once")
        }
    }

    /// Requires that there is a ledger, so that no other file is ever changed.
    func requireLedger() throws {
        let tables = try connection.prepare(
            "SELECT COUNT(*) FROM sqlite_schema WHERE name IN ('log_head', 'schema_migrations')"
        ).first { $0.integer(0) }
        guard tables == 2 else { throw MissingLedger.notInFile }
    }

    private func transact(_ body: () throws -> Void) throws {
        try connection.execute("BEGIN IMMEDIATE")
        do {
            try body()
            try connection.execute("COMMIT")
        } catch {
            // The error that brought us here says more than one of the roll-back would.
            try? connection.execute("ROLLBACK")
            throw error
        }
    }

    private func applyMissing(now: Instant) throws {
        try connection.execute(SQLiteSchema.applied)
        let insert = try connection.prepare(
            "INSERT INTO schema_migrations (number, checksum, applied_at) VALUES (?, ?, ?)")
        for migration in try missing(in: try applied()) {
            try connection.execute(migration.sql)
            try insert.run(
                .integer(migration.number), .blob(migration.checksum.bytes),
                .integer(now.microseconds))
        }
    }

    private func applied() throws -> [Int64: Digest] {
        Dictionary(
            try connection.prepare("SELECT number, checksum FROM schema_migrations")
                .rows { ($0.integer(0), try $0.digest(1)) },
            uniquingKeysWith: { first, _ in first })
    }

    /// The steps that have not been applied.
    private func missing(in applied: [Int64: Digest]) throws -> [SQLiteSchema.Migration] {
        let known = SQLiteSchema.migrations.map(\.number).max() ?? 0
        guard applied.keys.allSatisfy({ $0 <= known }) else {
            throw StoreError.corrupted(
                reason: "the file was written by a newer version of this program; use that one")
        }
        return try SQLiteSchema.migrations.filter { migration in
            guard let checksum = applied[migration.number] else { return true }
            guard checksum == migration.checksum else {
                throw StoreError.corrupted(
                    reason: "migration \(migration.number) is not the one that was applied")
            }
            return false
        }
    }
}
