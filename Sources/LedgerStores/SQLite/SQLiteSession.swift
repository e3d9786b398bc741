package import LedgerEngine
package import WalletCore

/// One connection's view of the ledger's tables: a snapshot on readers, a transaction on the
/// writer.
///
/// Rows are written by one prepared statement each, run in a loop: without a network in between,
/// statements of many rows bring nothing, and these are compiled once.
package final class SQLiteSession: LedgerTransaction {
    package let connection: SQLiteConnection
    private let clock: @Sendable () -> Instant
    private let statements: SQLiteStatements

    init(_ connection: SQLiteConnection, clock: @escaping @Sendable () -> Instant) throws {
        self.connection = connection
        self.clock = clock
        statements = try SQLiteStatements(connection)
    }

    package func now() -> Instant { clock() }

    // MARK: Reading

    package func head() throws -> Head {
        let head = try statements.head.first { row in
            Head(
                ledger: try row.identifier(0), epoch: row.integer(1), position: row.integer(2),
                hash: try row.digest(3), recordedAt: row.instant(4))
        }
        guard let head else { throw StoreError.corrupted(reason: "the log has no head") }
        return head
    }

    package func epochs() throws -> [Epoch] {
        try statements.epochs.rows { row in
            Epoch(epoch: row.integer(0), firstPosition: row.integer(1))
        }
    }

    package func externalBalances() throws -> [Currency: Int64] {
        let rows = try statements.externalBalances.rows { (try $0.currency(0), $0.integer(1)) }
        return Dictionary(rows, uniquingKeysWith: { first, _ in first })
    }

    package func wallets(_ ids: [WalletID]) throws -> [Wallet] {
        try Set(ids).compactMap { id in
            try statements.wallet.first(.blob(id.bytes)) { try Wallet($0) }
        }
    }

    package func wallets(ofUser userID: String, after: WalletID?, limit: Int) throws -> [Wallet] {
        try statements.walletsOfUser.rows(
            .text(userID), .blob(after?.bytes ?? []), .integer(Int64(limit))
        ) { try Wallet($0) }
    }

    package func walletCount(of owner: WalletOwner, limit: Int) throws -> Int {
        try statements.walletCount.first(
            .text(owner.user.text), .text(owner.currency.code), .integer(Int64(limit))
        ) { Int($0.integer(0)) } ?? 0
    }

    package func walletSums() throws -> [WalletSum] {
        try statements.walletSums.rows { row in
            WalletSum(
                currency: try row.currency(0), wallets: row.integer(1), total: row.integer(2),
                held: row.integer(3))
        }
    }

    package func wallets(after: WalletID?, limit: Int) throws -> [Wallet] {
        try statements.walletsAfter.rows(.blob(after?.bytes ?? []), .integer(Int64(limit))) {
            try Wallet($0)
        }
    }

    package func holds(_ ids: [HoldID]) throws -> [Hold] {
        try Set(ids).compactMap { id in
            try statements.hold.first(.blob(id.bytes)) { try Hold($0) }
        }
    }

    package func holds(of wallet: WalletID, _ query: HoldQuery) throws -> [Hold] {
        try statements.holdsOfWallet.rows(
            .blob(wallet.bytes), .integer(query.status.rawValue), .blob(query.after?.bytes ?? []),
            .optional(query.expiringAfter?.microseconds),
            .optional(query.expiringBy?.microseconds), .integer(Int64(query.limit))
        ) { try Hold($0) }
    }

    package func dueHolds(of wallets: [WalletID], at instant: Instant) throws -> [Hold] {
        try Set(wallets).flatMap { id in
            try statements.dueHolds.rows(.blob(id.bytes), .integer(instant.microseconds)) {
                try Hold($0)
            }
        }
    }

    package func dueHolds(at instant: Instant, limit: Int) throws -> [Hold] {
        try statements.overdueHolds.rows(
            .integer(instant.microseconds), .integer(Int64(limit))
        ) { try Hold($0) }
    }

    package func unrecordedExpiries(of wallet: WalletID, at instant: Instant) throws -> Expiries {
        let wallet = SQLiteValue.blob(wallet.bytes)
        let at = SQLiteValue.integer(instant.microseconds)
        var expiries =
            try statements.dueAmount.first(wallet, at) {
                Expiries(count: $0.integer(0), amount: $0.integer(1))
            } ?? Expiries()
        // A wallet's holds expire in the record in the order in which they were due, so that those
        // which were not recorded by then are the last of those that were due by then.
        try statements.expiredUntil.each(wallet, at) { row in
            guard row.integer(1) > instant.microseconds else { return false }
            expiries.count += 1
            expiries.amount += row.integer(0)
            return true
        }
        return expiries
    }

    package func keys(_ keys: [Digest]) throws -> [KeyRecord] {
        try Set(keys).compactMap { key in
            try statements.key.first(.blob(key.storedPrefix)) { row in
                KeyRecord(key: key, position: row.integer(0))
            }
        }
    }

    package func refusals(_ keys: [Digest]) throws -> [RefusalRecord] {
        try Set(keys).compactMap { key in
            try statements.refusal.first(.blob(key.bytes)) { try RefusalRecord($0, key: key) }
        }
    }

    package func references(_ keys: [ReferenceKey]) throws -> [ReferenceRecord] {
        try Set(keys).compactMap { key in
            try statements.reference.first(
                .blob(key.wallet.bytes), .blob(key.reference), .blob(key.scope)
            ) { row in
                ReferenceRecord(
                    key: key,
                    use: ReferenceUse(id: try row.identifier(0), position: row.integer(1)))
            }
        }
    }

    package func references(
        of wallet: WalletID, _ reference: [UInt8], limit: Int
    ) throws -> [ReferenceUse] {
        try statements.referenceUses.rows(
            .blob(wallet.bytes), .blob(reference), .integer(Int64(limit))
        ) { row in
            ReferenceUse(id: try row.identifier(0), position: row.integer(1))
        }
    }

    package func reversals(_ positions: [Int64]) throws -> [ReversalRecord] {
        try Set(positions).compactMap { position in
            try statements.reversal.first(.integer(position)) { row in
                ReversalRecord(position: position, reversedAmount: row.integer(0))
            }
        }
    }

    package func texts(_ positions: [Int64]) throws -> [TextRecord] {
        try Set(positions).compactMap { position in
            try statements.text.first(.integer(position)) { row in
                TextRecord(position: position, text: try SaltedText(row))
            }
        }
    }

    package func lastEntry(of wallet: WalletID, at instant: Instant) throws -> Entry? {
        try statements.lastEntry.first(.blob(wallet.bytes), .integer(instant.microseconds)) {
            try Entry($0, of: wallet)
        }
    }

    package func entries(of wallet: WalletID, _ query: EntryQuery) throws -> EntryPage {
        let statement =
            query.isAscending ? statements.entriesAscending : statements.entriesDescending
        var page = EntryPage()
        guard query.limit > 0 else { return page }
        var looked = 0
        try statement.each(
            .blob(wallet.bytes), .integer(query.from.microseconds),
            .integer(query.until.microseconds)
        ) { row in
            looked += 1
            return page.take(try Entry(row, of: wallet), looked: looked, for: query)
        }
        return page
    }

    package func segment(containing position: Int64) throws -> Segment? {
        let segment = try statements.segment.first(.integer(position)) { row in
            Segment(
                firstPosition: row.integer(0), lastPosition: row.integer(1),
                recordedAt: row.instant(2), body: row.blob(3))
        }
        guard let segment, position <= segment.lastPosition else { return nil }
        return segment
    }

    package func apiKey(hash: Digest) throws -> APIKey? {
        try statements.apiKey.first(.blob(hash.bytes)) { try APIKey($0) }
    }

    package func apiKey(id: String) throws -> APIKey? {
        try statements.apiKeyByID.first(.text(id)) { try APIKey($0) }
    }

    package func apiKeys(after: APIKeyPlace?, limit: Int) throws -> [APIKey] {
        try statements.apiKeysAfter.rows(
            .integer((after?.createdAt ?? .earliest).microseconds), .text(after?.id ?? ""),
            .integer(Int64(limit))
        ) { try APIKey($0) }
    }

    package func apiKeys() throws -> [APIKey] {
        try statements.apiKeys.rows { try APIKey($0) }
    }

    package func unfinishedImport() throws -> Instant? {
        try statements.unfinishedImport.first { $0.instant(0) }
    }

    package func tally() throws -> Tally {
        let tally = try statements.tally.first { row in
            var tally = Tally()
            tally.wallets = row.integer(0)
            tally.entries = row.integer(1)
            tally.holds = row.integer(2)
            tally.keys = row.integer(3)
            tally.references = row.integer(4)
            tally.reversals = row.integer(5)
            tally.segments = row.integer(6)
            return tally
        }
        return tally ?? Tally()
    }

    // MARK: Writing

    package func append(_ append: Append) throws {
        if let segment = append.segment {
            try statements.insertSegment.run(
                .integer(segment.firstPosition), .integer(segment.lastPosition),
                .integer(segment.recordedAt.microseconds), .blob(segment.body))
        }
        let head = append.head
        try statements.updateHead.run(
            .integer(head.epoch), .integer(head.position), .blob(head.hash.bytes),
            .integer(head.recordedAt.microseconds))
        for wallet in append.opened {
            try statements.insertWallet.run(
                .blob(wallet.id.bytes), .text(wallet.userID), .text(wallet.currency.code),
                .integer(wallet.status.rawValue), .integer(wallet.total), .integer(wallet.held),
                .integer(wallet.version), .integer(wallet.createdAt.microseconds),
                .integer(wallet.updatedAt.microseconds), .integer(wallet.openedPosition))
        }
        for wallet in append.updated {
            try statements.updateWallet.run(
                .integer(wallet.status.rawValue), .integer(wallet.total), .integer(wallet.held),
                .integer(wallet.version), .integer(wallet.updatedAt.microseconds),
                .blob(wallet.id.bytes))
        }
        for entry in append.entries {
            try statements.insertEntry.run(
                .blob(entry.wallet.bytes), .integer(entry.recordedAt.microseconds),
                .integer(entry.position), .integer(entry.version), .integer(entry.type.rawValue),
                .integer(entry.change), .integer(entry.total), .integer(entry.held))
        }
        for key in append.keys {
            try statements.insertKey.run(
                .blob(key.key.storedPrefix), .integer(key.position))
        }
        try appendRare(append)
    }

    /// Writes what most commits have none of.
    private func appendRare(_ append: Append) throws {
        for hold in append.holds {
            try statements.upsertHold.run(
                .blob(hold.id.bytes), .blob(hold.wallet.bytes), .integer(hold.amount.minorUnits),
                .text(hold.currency.code), .integer(hold.status.rawValue),
                .integer(hold.capturedAmount), .optional(hold.expiresAt?.microseconds),
                .integer(hold.createdAt.microseconds), .integer(hold.placedPosition),
                .optional(hold.closedAt?.microseconds))
        }
        for record in append.references {
            try statements.insertReference.run(
                .blob(record.key.wallet.bytes), .blob(record.key.reference),
                .blob(record.key.scope), .blob(record.use.id.bytes), .integer(record.use.position))
        }
        for record in append.reversals {
            try statements.upsertReversal.run(
                .integer(record.position), .integer(record.reversedAmount))
        }
        for record in append.refusals {
            try statements.insertRefusal.run(
                .blob(record.key.bytes), .blob(record.fingerprint.bytes),
                .integer(record.recordedAt.microseconds), .text(record.requestID),
                .blob(record.refusal.canonicalBytes))
        }
        for record in append.texts {
            try statements.insertText.run(
                .integer(record.position), .blob(record.text.salt),
                .blob(record.text.text.canonicalBytes))
        }
        for (currency, balance) in append.external {
            try statements.upsertExternal.run(.text(currency.code), .integer(balance))
        }
    }

    package func pruneRefusals(recordedBefore instant: Instant, atMost limit: Int) throws -> Int {
        try statements.pruneRefusals.run(
            .integer(instant.microseconds), .integer(Int64(limit)))
        return connection.changes
    }

    package func insert(_ key: APIKey) throws {
        try statements.insertAPIKey.run(
            .text(key.id), .blob(key.hash.bytes), .text(key.principal),
            .integer(key.scopes.rawValue), .integer(key.createdAt.microseconds),
            .optional(key.revokedAt?.microseconds))
    }

    package func revokeAPIKey(id: String, at instant: Instant) throws -> Bool {
        let key = try statements.openAPIKey.first(.text(id)) { $0.integer(0) }
        guard key != nil else { return false }
        try statements.revokeAPIKey.run(.integer(instant.microseconds), .text(id))
        return true
    }
}
