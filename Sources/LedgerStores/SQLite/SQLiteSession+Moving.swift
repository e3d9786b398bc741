package import LedgerEngine
package import WalletCore

/// What moves, empties and marks a ledger as a whole; rare, so its statements are not kept.
extension SQLiteSession {
    package func checkStorage() throws {
        let said = try connection.prepare("PRAGMA integrity_check(1)").first { try $0.text(0) }
        guard said == "ok" else {
            throw StoreError.corrupted(
                reason: "the database finds its file damaged: \(said ?? "without a word")")
        }
        try SQLiteSchema.check(connection)
    }

    package func texts(after position: Int64, limit: Int) throws -> [TextRecord] {
        try connection.prepare(
            "SELECT salt, body, position FROM texts WHERE position > ?1 ORDER BY position LIMIT ?2"
        ).rows(.integer(position), .integer(Int64(limit))) { row in
            TextRecord(position: row.integer(2), text: try SaltedText(row))
        }
    }

    package func refusals(after key: Digest?, limit: Int) throws -> [RefusalRecord] {
        try connection.prepare(
            """
            SELECT fingerprint, recorded_at, request_id, body, key FROM refusals
            WHERE key > ?1 ORDER BY key LIMIT ?2
            """
        ).rows(.blob(key?.bytes ?? []), .integer(Int64(limit))) { row in
            try RefusalRecord(row, key: try row.digest(4))
        }
    }

    package func eraseTexts(_ positions: [Int64]) throws -> Int {
        // The writer's connection overwrites what it deletes: see `secure_delete` there.
        let erase = try connection.prepare("DELETE FROM texts WHERE position = ?1 RETURNING 1")
        return try Set(positions).reduce(0) { count, position in
            count + (try erase.rows(.integer(position)) { _ in true }).count
        }
    }

    package func setTimeline(_ head: Head, epochs: [Epoch]) throws {
        try connection.prepare(
            """
            UPDATE log_head
            SET ledger_id = ?1, epoch = ?2, position = ?3, hash = ?4, recorded_at = ?5
            WHERE id = 1
            """
        ).run(
            .blob(head.ledger.bytes), .integer(head.epoch), .integer(head.position),
            .blob(head.hash.bytes), .integer(head.recordedAt.microseconds))
        try connection.execute("DELETE FROM epochs")
        let insert = try connection.prepare("INSERT INTO epochs VALUES (?, ?)")
        for epoch in epochs {
            try insert.run(.integer(epoch.epoch), .integer(epoch.firstPosition))
        }
    }

    package func setUnfinishedImport(_ startedAt: Instant?) throws {
        try connection.execute("DELETE FROM unfinished_import")
        guard let startedAt else { return }
        try connection.prepare("INSERT INTO unfinished_import VALUES (1, ?)")
            .run(.integer(startedAt.microseconds))
    }

    package func clearProjections() throws {
        try clear([
            "external_accounts", "wallets", "entries", "holds", "idempotency_keys",
            "transaction_references", "reversals",
        ])
    }

    package func clearAll(leaving head: Head) throws {
        try clearProjections()
        try connection.execute("DROP TRIGGER log_is_append_only_delete")
        try clear(["log", "texts", "refusals", "api_keys", "unfinished_import"])
        try connection.execute(SQLiteSchema.logRefusesDelete)
        try setTimeline(head, epochs: [Epoch(epoch: head.epoch, firstPosition: 1)])
    }

    /// Empties tables without overwriting every page of theirs: nothing here is being erased.
    private func clear(_ tables: [String]) throws {
        try connection.execute("PRAGMA secure_delete = OFF")
        defer { try? connection.execute("PRAGMA secure_delete = ON") }
        for table in tables { try connection.execute("DELETE FROM \(table)") }
    }
}

extension SaltedText {
    /// Reads `salt, body`.
    init(_ row: SQLiteStatement) throws {
        guard let text = FreeText(canonicalBytes: row.blob(1)) else {
            throw StoreError.corrupted(reason: "a free text cannot be read")
        }
        self.init(salt: row.blob(0), text: text)
    }
}

extension RefusalRecord {
    /// Reads `fingerprint, recorded_at, request_id, body`.
    init(_ row: SQLiteStatement, key: Digest) throws {
        guard let refusal = Refusal(canonicalBytes: row.blob(3)) else {
            throw StoreError.corrupted(reason: "a refusal cannot be read")
        }
        self.init(
            key: key, fingerprint: try row.digest(0), recordedAt: row.instant(1),
            requestID: try row.text(2), refusal: refusal)
    }
}
