import LedgerEngine
import WalletCore

/// Brings a file's tables up to date; what has been applied is known by number and checksum.
struct SQLiteMigrator {
    private let connection: SQLiteConnection

    init(_ connection: SQLiteConnection) {
        self.connection = connection
    }

    /// Applies what is missing, and makes the ledger if there is none; all of it or nothing.
    func migrate(newLedger: LedgerID, now: Instant) throws {
        try connection.execute("BEGIN IMMEDIATE")
        do {
            try applyMissing(now: now)
            try makeLedgerIfMissing(newLedger, now: now)
            try connection.execute("COMMIT")
        } catch {
            // The error that brought us here says more than one of the roll-back would.
            try? connection.execute("ROLLBACK")
            throw error
        }
    }

    private func applyMissing(now: Instant) throws {
        try connection.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                number INTEGER PRIMARY KEY,
                checksum BLOB NOT NULL,
                applied_at INTEGER NOT NULL
            ) STRICT
            """)
        let applied = Dictionary(
            try connection.prepare("SELECT number, checksum FROM schema_migrations")
                .rows { ($0.integer(0), try $0.digest(1)) },
            uniquingKeysWith: { first, _ in first })
        let insert = try connection.prepare(
            "INSERT INTO schema_migrations (number, checksum, applied_at) VALUES (?, ?, ?)")
        for migration in SQLiteSchema.migrations {
            if let checksum = applied[migration.number] {
                guard checksum == migration.checksum else {
                    throw StoreError.corrupted(
                        reason: "migration \(migration.number) is not the one that was applied")
                }
                continue
            }
            try connection.execute(migration.sql)
            try insert.run(
                .integer(migration.number), .blob(migration.checksum.bytes),
                .integer(now.microseconds))
        }
        let known = SQLiteSchema.migrations.map(\.number).max() ?? 0
        guard applied.keys.allSatisfy({ $0 <= known }) else {
            throw StoreError.corrupted(
                reason: "the file was written by a newer version of this program; use that one")
        }
    }

    private func makeLedgerIfMissing(_ ledger: LedgerID, now: Instant) throws {
        let exists = try connection.prepare("SELECT 1 FROM log_head").first { _ in true }
        guard exists == nil else { return }
        let head = Head(new: ledger, at: now)
        try connection.prepare("INSERT INTO log_head VALUES (1, ?, ?, ?, ?, ?)").run(
            .blob(head.ledger.bytes), .integer(head.epoch), .integer(head.position),
            .blob(head.hash.bytes), .integer(head.recordedAt.microseconds))
        try connection.prepare("INSERT INTO epochs VALUES (?, 1)").run(.integer(head.epoch))
    }
}
