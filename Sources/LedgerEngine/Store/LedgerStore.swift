package import WalletCore

/// Where a ledger lies: the one port between the engine and a database.
///
/// Both calls run their body on the store's own thread, which may block; the body is synchronous so
/// that a transaction never waits for anything but its database. A store checks nothing that the
/// engine decides; it repeats the invariants as constraints, as the last assertion.
package protocol LedgerStore: Sendable {
    /// Runs the body on one consistent snapshot, without waiting for writers.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerSnapshot) throws -> Value
    ) async throws -> Value

    /// Runs the body in one transaction that holds the head, and commits what it appended.
    ///
    /// When it returns, the writes survive the loss of the process and of power. When it throws
    /// anything but ``StoreError/commitUnknown``, nothing was written.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerTransaction) throws -> Value
    ) async throws -> Value
}

/// Why a store could not do what it was asked; descriptions name no table, path or host.
package enum StoreError: Error, Hashable {
    /// The store cannot be reached or cannot write now: a full disk, a lost connection, a lock
    /// that is not to be had. Nothing was written.
    case unavailable(reason: String)
    /// The connection was lost during the commit: written or not, only reading will tell.
    case commitUnknown
    /// The database refuses the data: a constraint, a size. Nothing was written.
    case rejected(reason: String)
    /// What was read cannot be what was written.
    case corrupted(reason: String)
}

/// One consistent view of a ledger. All of its reads see the same head.
package protocol LedgerSnapshot {
    func head() throws -> Head
    /// The timelines, oldest first.
    func epochs() throws -> [Epoch]
    /// The external accounts' running sums, in minor units.
    func externalBalances() throws -> [Currency: Int64]

    /// The wallets that exist, in any order.
    func wallets(_ ids: [WalletID]) throws -> [Wallet]
    /// A user's wallets in order of their identifiers, which is that of their creation.
    func wallets(ofUser userID: String, after: WalletID?, limit: Int) throws -> [Wallet]
    /// How many wallets of a currency a user has, counted up to the limit.
    func walletCount(of owner: WalletOwner, limit: Int) throws -> Int
    /// What the wallets of each currency hold together. Reads all of them.
    func walletSums() throws -> [WalletSum]
    /// All wallets in order of their identifiers.
    func wallets(after: WalletID?, limit: Int) throws -> [Wallet]

    func holds(_ ids: [HoldID]) throws -> [Hold]
    /// Holds of a wallet in order of their identifiers, which is that of their placement.
    func holds(of wallet: WalletID, _ query: HoldQuery) throws -> [Hold]
    /// Holds of the wallets that are open in the record and expire at the instant or before.
    func dueHolds(of wallets: [WalletID], at instant: Instant) throws -> [Hold]
    /// Holds of the whole ledger that are open in the record and expire at the instant or before,
    /// those that were due first before the others.
    func dueHolds(at instant: Instant, limit: Int) throws -> [Hold]
    /// The holds of a wallet that were expired at the instant, but not yet recorded so.
    ///
    /// Costs as much as there are such holds. That rests on the order in which the log records that
    /// a wallet's holds have expired: the one in which they were due.
    func unrecordedExpiries(of wallet: WalletID, at instant: Instant) throws -> Expiries

    /// The events that the keys led to. A store may tell keys apart by their first 16 bytes.
    func keys(_ keys: [Digest]) throws -> [KeyRecord]
    func refusals(_ keys: [Digest]) throws -> [RefusalRecord]
    func references(_ keys: [ReferenceKey]) throws -> [ReferenceRecord]
    /// Every caller's use of a reference for a wallet, oldest first; references are compared byte
    /// by byte.
    func references(
        of wallet: WalletID, _ reference: [UInt8], limit: Int
    ) throws -> [ReferenceUse]
    /// What has been reversed of the transactions at these positions; none where nothing has.
    func reversals(_ positions: [Int64]) throws -> [ReversalRecord]
    func texts(_ positions: [Int64]) throws -> [TextRecord]
    /// All texts, in order of their positions.
    func texts(after position: Int64, limit: Int) throws -> [TextRecord]
    /// All refusals, in order of their keys' bytes.
    func refusals(after key: Digest?, limit: Int) throws -> [RefusalRecord]

    /// The last entry of a wallet at the instant or before.
    func lastEntry(of wallet: WalletID, at instant: Instant) throws -> Entry?
    func entries(of wallet: WalletID, _ query: EntryQuery) throws -> EntryPage

    /// The segment that holds a position.
    func segment(containing position: Int64) throws -> Segment?

    func apiKey(hash: Digest) throws -> APIKey?
    func apiKey(id: String) throws -> APIKey?
    /// All keys, oldest first.
    func apiKeys() throws -> [APIKey]
    /// The keys made behind this one, oldest first; keys of one instant in order of their names.
    func apiKeys(after: APIKeyPlace?, limit: Int) throws -> [APIKey]

    /// When the import began that is not finished: until it is, the ledger must not be used.
    func unfinishedImport() throws -> Instant?

    /// Counts the projections' rows. Reads all of them: for the verifier only.
    func tally() throws -> Tally
    /// Lets the database examine its pages, indexes and triggers. For the verifier only.
    ///
    /// - Throws: ``StoreError/corrupted(reason:)`` for what is wrong first.
    func checkStorage() throws
}

/// A snapshot that holds the head, so that no one else appends meanwhile.
package protocol LedgerTransaction: LedgerSnapshot {
    /// The database's clock under the lock.
    func now() throws -> Instant
    /// Writes what was decided. Only work that moves a ledger as a whole calls it more than once.
    func append(_ append: Append) throws
    /// Forgets refusals that were recorded before the instant, at most so many; says how many.
    @discardableResult
    func pruneRefusals(recordedBefore instant: Instant, atMost limit: Int) throws -> Int
    func insert(_ key: APIKey) throws
    /// Revokes a key; says whether there was one to revoke.
    func revokeAPIKey(id: String, at instant: Instant) throws -> Bool

    /// Removes the free texts of these positions, so that nothing of them stays behind in the
    /// tables; says how many there were.
    func eraseTexts(_ positions: [Int64]) throws -> Int

    // MARK: Moving a ledger as a whole

    /// Says which ledger this is, which timelines it has had, and how far it is.
    func setTimeline(_ head: Head, epochs: [Epoch]) throws
    /// Marks the ledger as one whose import began at the instant, or is finished.
    func setUnfinishedImport(_ startedAt: Instant?) throws
    /// Empties every table that is rebuilt from the log, external accounts too.
    func clearProjections() throws
    /// Empties every table, the log too, and leaves an empty ledger with this head.
    func clearAll(leaving head: Head) throws
}

extension LedgerSnapshot {
    /// The records at these positions; positions that the log does not have are left out.
    package func records(at positions: [Int64]) throws -> [Int64: LogRecord] {
        var found: [Int64: LogRecord] = [:]
        var rest = Set(positions).sorted()[...]
        while let position = rest.first {
            guard let segment = try self.segment(containing: position) else {
                rest.removeFirst()
                continue
            }
            let inside = rest.prefix { $0 <= segment.lastPosition }
            for record in try segment.records(at: inside) { found[record.position] = record }
            rest = rest[inside.endIndex...]
        }
        return found
    }

    /// The events at these positions; positions that the log does not have are left out.
    package func events(at positions: [Int64]) throws -> [Int64: Event] {
        try records(at: positions).mapValues { try $0.event() }
    }
}
