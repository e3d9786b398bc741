import Synchronization
package import WalletCore

/// The port's twin without a database: the same answers, nothing survives the process.
package final class InMemoryLedgerStore: LedgerStore {
    private let storage: Mutex<InMemoryStorage>
    private let clock: @Sendable () -> Instant

    package init(ledger: LedgerID, now: @escaping @Sendable () -> Instant) {
        clock = now
        storage = Mutex(InMemoryStorage(head: Head(new: ledger, at: now())))
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerSnapshot) throws -> Value
    ) async throws -> Value {
        let copy = storage.withLock { $0 }
        return try body(InMemoryTransaction(copy, clock: clock))
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerTransaction) throws -> Value
    ) async throws -> Value {
        try storage.withLock { storage in
            let transaction = InMemoryTransaction(storage, clock: clock)
            let value = try body(transaction)
            storage = transaction.storage
            return value
        }
    }
}

private struct InMemoryStorage: Sendable {
    var head: Head
    var epochs: [Epoch]
    var external: [Currency: Int64] = [:]
    var wallets: [WalletID: Wallet] = [:]
    var holds: [HoldID: Hold] = [:]
    var keys: [Digest: KeyRecord] = [:]
    var refusals: [Digest: RefusalRecord] = [:]
    var references: [ReferenceKey: ReferenceUse] = [:]
    var reversals: [Int64: Int64] = [:]
    var texts: [Int64: SaltedText] = [:]
    var entries: [WalletID: [Entry]] = [:]
    var segments: [Segment] = []
    var apiKeys: [APIKey] = []
    var unfinishedImport: Instant?

    init(head: Head) {
        self.head = head
        epochs = [Epoch(epoch: head.epoch, firstPosition: 1)]
    }
}

private final class InMemoryTransaction: LedgerTransaction {
    private(set) var storage: InMemoryStorage
    private let clock: @Sendable () -> Instant

    init(_ storage: InMemoryStorage, clock: @escaping @Sendable () -> Instant) {
        self.storage = storage
        self.clock = clock
    }

    func now() -> Instant { clock() }
    func head() -> Head { storage.head }
    func epochs() -> [Epoch] { storage.epochs }
    func externalBalances() -> [Currency: Int64] { storage.external }

    func wallets(_ ids: [WalletID]) -> [Wallet] {
        Set(ids).compactMap { storage.wallets[$0] }
    }

    func wallets(ofUser userID: String, after: WalletID?, limit: Int) -> [Wallet] {
        // Byte by byte: `==` on strings takes canonically equivalent texts for the same person.
        page(
            storage.wallets.values.filter { $0.userID.utf8.elementsEqual(userID.utf8) }, after,
            limit)
    }

    func walletCount(of owner: WalletOwner, limit: Int) -> Int {
        let owned = storage.wallets.values.filter {
            owner.user.owns($0) && $0.currency == owner.currency
        }
        return min(owned.count, limit)
    }

    func walletSums() -> [WalletSum] {
        Dictionary(grouping: storage.wallets.values, by: \.currency).map { currency, wallets in
            WalletSum(
                currency: currency, wallets: Int64(wallets.count),
                total: wallets.reduce(0) { $0 + $1.total },
                held: wallets.reduce(0) { $0 + $1.held })
        }
    }

    func wallets(after: WalletID?, limit: Int) -> [Wallet] {
        page(Array(storage.wallets.values), after, limit)
    }

    private func page(_ wallets: [Wallet], _ after: WalletID?, _ limit: Int) -> [Wallet] {
        let sorted = wallets.sorted { $0.id < $1.id }
        return Array(sorted.filter { wallet in after.map { wallet.id > $0 } ?? true }.prefix(limit))
    }

    func holds(_ ids: [HoldID]) -> [Hold] { Set(ids).compactMap { storage.holds[$0] } }

    func holds(of wallet: WalletID, _ query: HoldQuery) -> [Hold] {
        let matching = storage.holds.values.filter { hold in
            hold.wallet == wallet && hold.status == query.status
                && query.after.map { hold.id > $0 } ?? true
                && query.covers(expiry: hold.expiresAt)
        }
        return Array(matching.sorted { $0.id < $1.id }.prefix(query.limit))
    }

    func dueHolds(of wallets: [WalletID], at instant: Instant) -> [Hold] {
        storage.holds.values.filter { wallets.contains($0.wallet) && $0.isDue(at: instant) }
    }

    func dueHolds(at instant: Instant, limit: Int) -> [Hold] {
        let due = storage.holds.values.filter { $0.isDue(at: instant) }.sorted {
            ($0.expiresAt ?? .latest, $0.id) < ($1.expiresAt ?? .latest, $1.id)
        }
        return Array(due.prefix(limit))
    }

    func unrecordedExpiries(of wallet: WalletID, at instant: Instant) -> Expiries {
        storage.holds.values.reduce(into: Expiries()) { sum, hold in
            guard hold.wallet == wallet, let expiresAt = hold.expiresAt, expiresAt <= instant
            else { return }
            let isUnrecorded =
                hold.status == .open
                || hold.status == .expired && hold.closedAt.map { $0 > instant } ?? false
            guard isUnrecorded else { return }
            sum.count += 1
            sum.amount += hold.amount.minorUnits
        }
    }

    func keys(_ keys: [Digest]) -> [KeyRecord] { Set(keys).compactMap { storage.keys[$0] } }

    func refusals(_ keys: [Digest]) -> [RefusalRecord] {
        Set(keys).compactMap { storage.refusals[$0] }
    }

    func references(_ keys: [ReferenceKey]) -> [ReferenceRecord] {
        Set(keys).compactMap { key in
            storage.references[key].map { ReferenceRecord(key: key, use: $0) }
        }
    }

    func references(of wallet: WalletID, _ reference: [UInt8], limit: Int) -> [ReferenceUse] {
        let uses = storage.references.filter {
            $0.key.wallet == wallet && $0.key.reference == reference
        }
        return Array(uses.values.sorted { $0.position < $1.position }.prefix(limit))
    }

    func reversals(_ positions: [Int64]) -> [ReversalRecord] {
        Set(positions).compactMap { position in
            storage.reversals[position].map {
                ReversalRecord(position: position, reversedAmount: $0)
            }
        }
    }

    func texts(_ positions: [Int64]) -> [TextRecord] {
        Set(positions).compactMap { position in
            storage.texts[position].map { TextRecord(position: position, text: $0) }
        }
    }

    func texts(after position: Int64, limit: Int) -> [TextRecord] {
        texts(Array(storage.texts.keys.filter { $0 > position }.sorted().prefix(limit)))
            .sorted { $0.position < $1.position }
    }

    func refusals(after key: Digest?, limit: Int) -> [RefusalRecord] {
        func precedes(_ left: Digest, _ right: Digest) -> Bool {
            left.bytes.lexicographicallyPrecedes(right.bytes)
        }
        let later = storage.refusals.values.filter { record in
            key.map { precedes($0, record.key) } ?? true
        }
        return Array(later.sorted { precedes($0.key, $1.key) }.prefix(limit))
    }

    func lastEntry(of wallet: WalletID, at instant: Instant) -> Entry? {
        storage.entries[wallet]?.last { $0.recordedAt <= instant }
    }

    func entries(of wallet: WalletID, _ query: EntryQuery) -> EntryPage {
        let period = (storage.entries[wallet] ?? []).filter { entry in
            entry.recordedAt >= query.from && entry.recordedAt < query.until
        }
        var page = EntryPage()
        guard query.limit > 0 else { return page }
        let ordered = query.isAscending ? period : period.reversed()
        for (index, entry) in ordered.enumerated() {
            guard page.take(entry, looked: index + 1, for: query) else { break }
        }
        return page
    }

    func segment(containing position: Int64) -> Segment? {
        storage.segments.last { $0.firstPosition <= position && position <= $0.lastPosition }
    }

    func apiKey(hash: Digest) -> APIKey? { storage.apiKeys.first { $0.hash == hash } }
    func apiKey(id: String) -> APIKey? {
        storage.apiKeys.first { $0.id.utf8.elementsEqual(id.utf8) }
    }
    func apiKeys() -> [APIKey] { storage.apiKeys.sorted { $0.place < $1.place } }

    func apiKeys(after: APIKeyPlace?, limit: Int) -> [APIKey] {
        Array(apiKeys().filter { key in after.map { key.place > $0 } ?? true }.prefix(limit))
    }

    func unfinishedImport() -> Instant? { storage.unfinishedImport }

    func tally() -> Tally {
        var tally = Tally()
        tally.wallets = Int64(storage.wallets.count)
        tally.entries = storage.entries.values.reduce(0) { $0 + Int64($1.count) }
        tally.holds = Int64(storage.holds.count)
        tally.keys = Int64(storage.keys.count)
        tally.references = Int64(storage.references.count)
        tally.reversals = Int64(storage.reversals.count)
        tally.segments = Int64(storage.segments.count)
        return tally
    }

    /// Nothing lies on a disk.
    func checkStorage() {}

    func append(_ append: Append) throws {
        if let segment = append.segment {
            try require(
                segment.firstPosition == storage.head.position + 1
                    && segment.lastPosition == append.head.position, "the log has a gap")
            storage.segments.append(segment)
        }
        storage.head = append.head
        for wallet in append.opened {
            try require(storage.wallets[wallet.id] == nil, "a wallet is opened twice")
        }
        for wallet in append.opened + append.updated {
            try require(
                wallet.held >= 0 && wallet.held <= wallet.total
                    && wallet.total <= Amount.maximum, "a wallet's numbers are out of range")
            storage.wallets[wallet.id] = wallet
        }
        for entry in append.entries {
            let last = storage.entries[entry.wallet]?.last?.recordedAt
            try require(last.map { $0 < entry.recordedAt } ?? true, "an entry is out of order")
            storage.entries[entry.wallet, default: []].append(entry)
        }
        for hold in append.holds { storage.holds[hold.id] = hold }
        for key in append.keys {
            try require(storage.keys[key.key] == nil, "a key is used twice")
            storage.keys[key.key] = key
        }
        for record in append.references {
            try require(storage.references[record.key] == nil, "a reference is used twice")
            storage.references[record.key] = record.use
        }
        for record in append.reversals {
            storage.reversals[record.position] = record.reversedAmount
        }
        for record in append.refusals { storage.refusals[record.key] = record }
        for record in append.texts { storage.texts[record.position] = record.text }
        storage.external.merge(append.external) { _, new in new }
    }

    func pruneRefusals(recordedBefore instant: Instant, atMost limit: Int) -> Int {
        let old = storage.refusals.values.filter { $0.recordedAt < instant }.prefix(limit)
        for record in old { storage.refusals[record.key] = nil }
        return old.count
    }

    func insert(_ key: APIKey) throws {
        try require(
            !storage.apiKeys.contains { $0.hash == key.hash || $0.id == key.id },
            "the API key exists already")
        storage.apiKeys.append(key)
    }

    func revokeAPIKey(id: String, at instant: Instant) -> Bool {
        let index = storage.apiKeys.firstIndex {
            $0.id.utf8.elementsEqual(id.utf8) && $0.revokedAt == nil
        }
        guard let index else { return false }
        storage.apiKeys[index].revokedAt = instant
        return true
    }

    func eraseTexts(_ positions: [Int64]) -> Int {
        Set(positions).count { storage.texts.removeValue(forKey: $0) != nil }
    }

    func setTimeline(_ head: Head, epochs: [Epoch]) {
        storage.head = head
        storage.epochs = epochs
    }

    func setUnfinishedImport(_ startedAt: Instant?) { storage.unfinishedImport = startedAt }

    func clearProjections() {
        storage.external = [:]
        storage.wallets = [:]
        storage.entries = [:]
        storage.holds = [:]
        storage.keys = [:]
        storage.references = [:]
        storage.reversals = [:]
    }

    func clearAll(leaving head: Head) { storage = InMemoryStorage(head: head) }

    private func require(_ condition: Bool, _ reason: String) throws {
        guard condition else { throw StoreError.rejected(reason: reason) }
    }
}
