import LedgerEngine
import WalletCore

/// The tables, as numbered steps that only ever go forward.
enum SQLiteSchema {
    struct Migration {
        var number: Int64
        var sql: String

        /// SHA-256 of the SQL: a step that has been applied must never change.
        var checksum: Digest { .sha256(Array(sql.utf8)) }
    }

    static let migrations = [Migration(number: 1, sql: ledger)]

    /// Where the steps that have been applied are kept.
    static let applied = """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            number INTEGER PRIMARY KEY,
            checksum BLOB NOT NULL,
            applied_at INTEGER NOT NULL
        ) STRICT
        """

    /// A trigger of its own, since an import that failed empties the log, and puts it back.
    static let logRefusesDelete = """
        CREATE TRIGGER log_is_append_only_delete BEFORE DELETE ON log
            BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END
        """

    /// Identifiers, hashes and callers' texts are BLOBs, so that they are compared byte by byte.
    /// Of an idempotency key's hash the first 16 bytes are kept: they are as good as unique, and a
    /// row is a third as long; the whole hash and the fingerprint are in the event.
    /// The constraints repeat what the engine decides, as the last assertion.
    /// A row of `unfinished_import` says that an import goes on, so that what was cut off is never
    /// taken for a ledger.
    private static let ledger = """
        CREATE TABLE log (
            first_position INTEGER PRIMARY KEY,
            last_position INTEGER NOT NULL CHECK (last_position >= first_position),
            recorded_at INTEGER NOT NULL,
            body BLOB NOT NULL CHECK (length(body) > 0)
        ) STRICT;
        CREATE TRIGGER log_is_append_only_update BEFORE UPDATE ON log
            BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
        \(logRefusesDelete);
        CREATE TRIGGER log_is_gapless BEFORE INSERT ON log
            WHEN NEW.first_position <> 1 + COALESCE(
                (SELECT last_position FROM log ORDER BY first_position DESC LIMIT 1), 0)
            BEGIN SELECT RAISE(ABORT, 'the log has no gaps'); END;

        CREATE TABLE log_head (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            ledger_id BLOB NOT NULL CHECK (length(ledger_id) = 16),
            epoch INTEGER NOT NULL,
            position INTEGER NOT NULL CHECK (position >= 0),
            hash BLOB NOT NULL CHECK (length(hash) = 32),
            recorded_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE epochs (
            epoch INTEGER PRIMARY KEY,
            first_position INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE external_accounts (
            currency BLOB PRIMARY KEY CHECK (length(currency) = 3),
            balance INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE wallets (
            id BLOB PRIMARY KEY CHECK (length(id) = 16),
            user_id BLOB NOT NULL CHECK (length(user_id) > 0),
            currency BLOB NOT NULL CHECK (length(currency) = 3),
            status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 3),
            total INTEGER NOT NULL CHECK (total BETWEEN 0 AND 9007199254740991),
            held INTEGER NOT NULL CHECK (held BETWEEN 0 AND total),
            version INTEGER NOT NULL CHECK (version > 0),
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            opened_position INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX wallets_by_user ON wallets (user_id, id);
        CREATE INDEX wallets_by_owner ON wallets (user_id, currency);

        CREATE TABLE entries (
            wallet_id BLOB NOT NULL CHECK (length(wallet_id) = 16),
            recorded_at INTEGER NOT NULL,
            position INTEGER NOT NULL,
            version INTEGER NOT NULL,
            type INTEGER NOT NULL,
            change INTEGER NOT NULL,
            total INTEGER NOT NULL CHECK (total >= 0),
            held INTEGER NOT NULL CHECK (held BETWEEN 0 AND total),
            PRIMARY KEY (wallet_id, recorded_at)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE holds (
            id BLOB PRIMARY KEY CHECK (length(id) = 16),
            wallet_id BLOB NOT NULL CHECK (length(wallet_id) = 16),
            amount INTEGER NOT NULL CHECK (amount > 0),
            currency BLOB NOT NULL CHECK (length(currency) = 3),
            status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 4),
            captured_amount INTEGER NOT NULL CHECK (captured_amount BETWEEN 0 AND amount),
            expires_at INTEGER,
            created_at INTEGER NOT NULL,
            placed_position INTEGER NOT NULL,
            closed_at INTEGER,
            CHECK ((status = 1) = (closed_at IS NULL))
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX holds_by_expiry ON holds (wallet_id, status, expires_at, id);
        CREATE INDEX holds_by_status ON holds (wallet_id, status, id);
        CREATE INDEX holds_due ON holds (status, expires_at, id);

        CREATE TABLE idempotency_keys (
            key BLOB PRIMARY KEY CHECK (length(key) = 16),
            position INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE refusals (
            key BLOB PRIMARY KEY CHECK (length(key) = 32),
            fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
            recorded_at INTEGER NOT NULL,
            request_id BLOB NOT NULL,
            body BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX refusals_by_age ON refusals (recorded_at);

        CREATE TABLE transaction_references (
            wallet_id BLOB NOT NULL CHECK (length(wallet_id) = 16),
            reference BLOB NOT NULL,
            scope BLOB NOT NULL,
            id BLOB NOT NULL CHECK (length(id) = 16),
            position INTEGER NOT NULL,
            PRIMARY KEY (wallet_id, reference, scope)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE reversals (
            position INTEGER PRIMARY KEY,
            reversed_amount INTEGER NOT NULL CHECK (reversed_amount > 0)
        ) STRICT;
        CREATE TABLE texts (
            position INTEGER PRIMARY KEY,
            salt BLOB NOT NULL CHECK (length(salt) = 16),
            body BLOB NOT NULL
        ) STRICT;

        CREATE TABLE api_keys (
            id BLOB PRIMARY KEY,
            hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
            principal BLOB NOT NULL,
            scopes INTEGER NOT NULL CHECK (scopes > 0),
            created_at INTEGER NOT NULL,
            revoked_at INTEGER
        ) STRICT;

        CREATE TABLE unfinished_import (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            started_at INTEGER NOT NULL
        ) STRICT;
        """
}

extension SQLiteSchema {
    /// A table, index or trigger.
    private struct Object: Hashable {
        var type: String
        var name: String
        var sql: String
    }

    /// Holds a file's tables, indexes and triggers against those that the steps make.
    ///
    /// Tables and indexes that somebody added do no harm; triggers may.
    static func check(_ connection: SQLiteConnection) throws {
        let model = try SQLiteConnection(
            path: ":memory:", .creating, busyTimeoutMilliseconds: 0)
        try model.execute(applied)
        for migration in migrations { try model.execute(migration.sql) }
        let expected = try objects(of: model)
        let found = try objects(of: connection)
        let wrong =
            expected.subtracting(found)
            .union(found.subtracting(expected).filter { $0.type == "trigger" })
        guard let object = wrong.min(by: { $0.name < $1.name }) else { return }
        throw StoreError.corrupted(
            reason: "the \(object.type) \(object.name) is missing, or not this program's")
    }

    private static func objects(of connection: SQLiteConnection) throws -> Set<Object> {
        // Names that begin so are SQLite's own.
        let rows = try connection.prepare(
            "SELECT type, name, sql FROM sqlite_schema WHERE substr(name, 1, 7) <> 'sqlite_'"
        ).rows { Object(type: try $0.text(0), name: try $0.text(1), sql: try $0.text(2)) }
        return Set(rows)
    }
}
