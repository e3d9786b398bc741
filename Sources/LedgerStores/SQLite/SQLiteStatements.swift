/// The statements that a session runs again and again, compiled once. Each reads by primary key or
/// by the index named beside it; only `tally`, `walletSums` and the lists of API keys read whole
/// tables.
struct SQLiteStatements {
    let head, epochs, externalBalances, wallet, walletsOfUser, walletsAfter: SQLiteStatement
    let hold, holdsOfWallet, dueHolds, overdueHolds: SQLiteStatement
    let dueAmount, expiredUntil: SQLiteStatement
    let key, refusal: SQLiteStatement
    let reference, referenceUses: SQLiteStatement
    let reversal, text, lastEntry, entriesAscending, entriesDescending: SQLiteStatement
    let segment, apiKey, apiKeyByID, apiKeys, apiKeysAfter, openAPIKey: SQLiteStatement
    let walletCount, walletSums, unfinishedImport, tally: SQLiteStatement
    let insertSegment, updateHead, insertWallet, updateWallet, insertEntry: SQLiteStatement
    let insertKey, upsertHold, insertReference, upsertReversal, insertRefusal: SQLiteStatement
    let insertText, upsertExternal, pruneRefusals, insertAPIKey, revokeAPIKey: SQLiteStatement

    init(_ connection: SQLiteConnection) throws {
        let walletColumns = """
            id, user_id, currency, status, total, held, version, created_at, updated_at, \
            opened_position
            """
        let holdColumns = """
            id, wallet_id, amount, currency, status, captured_amount, expires_at, created_at, \
            placed_position, closed_at
            """
        let entryColumns = "recorded_at, position, version, type, change, total, held"
        let keyColumns = "id, hash, principal, scopes, created_at, revoked_at"

        head = try connection.prepare(
            "SELECT ledger_id, epoch, position, hash, recorded_at FROM log_head WHERE id = 1")
        epochs = try connection.prepare(
            "SELECT epoch, first_position FROM epochs ORDER BY epoch")
        externalBalances = try connection.prepare(
            "SELECT currency, balance FROM external_accounts")
        wallet = try connection.prepare("SELECT \(walletColumns) FROM wallets WHERE id = ?1")
        // wallets_by_user
        walletsOfUser = try connection.prepare(
            """
            SELECT \(walletColumns) FROM wallets WHERE user_id = ?1 AND id > ?2
            ORDER BY id LIMIT ?3
            """)
        walletsAfter = try connection.prepare(
            "SELECT \(walletColumns) FROM wallets WHERE id > ?1 ORDER BY id LIMIT ?2")
        // wallets_by_owner
        walletCount = try connection.prepare(
            """
            SELECT COUNT(*) FROM (
                SELECT 1 FROM wallets WHERE user_id = ?1 AND currency = ?2 LIMIT ?3)
            """)
        walletSums = try connection.prepare(
            "SELECT currency, COUNT(*), SUM(total), SUM(held) FROM wallets GROUP BY currency")
        hold = try connection.prepare("SELECT \(holdColumns) FROM holds WHERE id = ?1")
        // holds_by_status
        holdsOfWallet = try connection.prepare(
            """
            SELECT \(holdColumns) FROM holds
            WHERE wallet_id = ?1 AND status = ?2 AND id > ?3
                AND (?4 IS NULL OR expires_at IS NULL OR expires_at > ?4)
                AND (?5 IS NULL OR expires_at <= ?5)
            ORDER BY id LIMIT ?6
            """)
        // holds_by_expiry
        dueHolds = try connection.prepare(
            """
            SELECT \(holdColumns) FROM holds
            WHERE wallet_id = ?1 AND expires_at <= ?2 AND status = 1
            """)
        // holds_due
        overdueHolds = try connection.prepare(
            """
            SELECT \(holdColumns) FROM holds
            WHERE status = 1 AND expires_at <= ?1 ORDER BY expires_at, id LIMIT ?2
            """)
        // holds_by_expiry
        dueAmount = try connection.prepare(
            """
            SELECT COUNT(*), COALESCE(SUM(amount), 0) FROM holds
            WHERE wallet_id = ?1 AND status = 1 AND expires_at <= ?2
            """)
        // holds_by_expiry
        expiredUntil = try connection.prepare(
            """
            SELECT amount, closed_at FROM holds
            WHERE wallet_id = ?1 AND status = 4 AND expires_at <= ?2
            ORDER BY expires_at DESC, id DESC
            """)
        key = try connection.prepare(
            "SELECT position FROM idempotency_keys WHERE key = ?1")
        refusal = try connection.prepare(
            "SELECT fingerprint, recorded_at, request_id, body FROM refusals WHERE key = ?1")
        reference = try connection.prepare(
            """
            SELECT id, position FROM transaction_references
            WHERE wallet_id = ?1 AND reference = ?2 AND scope = ?3
            """)
        referenceUses = try connection.prepare(
            """
            SELECT id, position FROM transaction_references
            WHERE wallet_id = ?1 AND reference = ?2 ORDER BY position LIMIT ?3
            """)
        reversal = try connection.prepare(
            "SELECT reversed_amount FROM reversals WHERE position = ?1")
        text = try connection.prepare("SELECT salt, body FROM texts WHERE position = ?1")
        lastEntry = try connection.prepare(
            """
            SELECT \(entryColumns) FROM entries WHERE wallet_id = ?1 AND recorded_at <= ?2
            ORDER BY recorded_at DESC LIMIT 1
            """)
        func entries(_ order: String) throws -> SQLiteStatement {
            try connection.prepare(
                """
                SELECT \(entryColumns) FROM entries
                WHERE wallet_id = ?1 AND recorded_at >= ?2 AND recorded_at < ?3
                ORDER BY recorded_at \(order)
                """)
        }
        entriesAscending = try entries("ASC")
        entriesDescending = try entries("DESC")
        segment = try connection.prepare(
            """
            SELECT first_position, last_position, recorded_at, body FROM log
            WHERE first_position <= ?1 ORDER BY first_position DESC LIMIT 1
            """)
        apiKey = try connection.prepare("SELECT \(keyColumns) FROM api_keys WHERE hash = ?1")
        apiKeys = try connection.prepare(
            "SELECT \(keyColumns) FROM api_keys ORDER BY created_at, id")
        apiKeyByID = try connection.prepare("SELECT \(keyColumns) FROM api_keys WHERE id = ?1")
        apiKeysAfter = try connection.prepare(
            """
            SELECT \(keyColumns) FROM api_keys WHERE (created_at, id) > (?1, ?2)
            ORDER BY created_at, id LIMIT ?3
            """)
        openAPIKey = try connection.prepare(
            "SELECT 1 FROM api_keys WHERE id = ?1 AND revoked_at IS NULL")
        unfinishedImport = try connection.prepare(
            "SELECT started_at FROM unfinished_import WHERE id = 1")
        tally = try connection.prepare(
            """
            SELECT (SELECT COUNT(*) FROM wallets), (SELECT COUNT(*) FROM entries),
                (SELECT COUNT(*) FROM holds), (SELECT COUNT(*) FROM idempotency_keys),
                (SELECT COUNT(*) FROM transaction_references), (SELECT COUNT(*) FROM reversals),
                (SELECT COUNT(*) FROM log)
            """)

        insertSegment = try connection.prepare(
            "INSERT INTO log (first_position, last_position, recorded_at, body) VALUES (?, ?, ?, ?)"
        )
        updateHead = try connection.prepare(
            """
            UPDATE log_head SET epoch = ?1, position = ?2, hash = ?3, recorded_at = ?4 WHERE id = 1
            """)
        insertWallet = try connection.prepare(
            "INSERT INTO wallets (\(walletColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        updateWallet = try connection.prepare(
            """
            UPDATE wallets SET status = ?1, total = ?2, held = ?3, version = ?4, updated_at = ?5
            WHERE id = ?6
            """)
        insertEntry = try connection.prepare(
            "INSERT INTO entries (wallet_id, \(entryColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        insertKey = try connection.prepare(
            "INSERT INTO idempotency_keys (key, position) VALUES (?, ?)")
        upsertHold = try connection.prepare(
            """
            INSERT INTO holds (\(holdColumns)) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            ON CONFLICT (id) DO UPDATE
            SET status = excluded.status, captured_amount = excluded.captured_amount,
                closed_at = excluded.closed_at
            """)
        insertReference = try connection.prepare(
            """
            INSERT INTO transaction_references (wallet_id, reference, scope, id, position)
            VALUES (?, ?, ?, ?, ?)
            """)
        upsertReversal = try connection.prepare(
            """
            INSERT INTO reversals (position, reversed_amount) VALUES (?1, ?2)
            ON CONFLICT (position) DO UPDATE SET reversed_amount = excluded.reversed_amount
            """)
        insertRefusal = try connection.prepare(
            """
            INSERT INTO refusals (key, fingerprint, recorded_at, request_id, body)
            VALUES (?, ?, ?, ?, ?)
            """)
        insertText = try connection.prepare(
            "INSERT INTO texts (position, salt, body) VALUES (?, ?, ?)")
        upsertExternal = try connection.prepare(
            """
            INSERT INTO external_accounts (currency, balance) VALUES (?1, ?2)
            ON CONFLICT (currency) DO UPDATE SET balance = excluded.balance
            """)
        // refusals_by_age
        pruneRefusals = try connection.prepare(
            """
            DELETE FROM refusals WHERE key IN (
                SELECT key FROM refusals WHERE recorded_at < ?1 ORDER BY recorded_at LIMIT ?2)
            """)
        insertAPIKey = try connection.prepare(
            "INSERT INTO api_keys (\(keyColumns)) VALUES (?, ?, ?, ?, ?, ?)")
        revokeAPIKey = try connection.prepare(
            "UPDATE api_keys SET revoked_at = ?1 WHERE id = ?2 AND revoked_at IS NULL")
    }
}
