import LedgerEngine
import WalletCore

/// A transaction whose database refuses some of what is appended.
struct RejectingTransaction: LedgerTransaction {
    let base: any LedgerTransaction
    let rejects: @Sendable (Append) -> Bool

    func append(_ append: Append) throws {
        if rejects(append) { throw StoreError.rejected(reason: "a refusal was injected") }
        try base.append(append)
    }

    func now() throws -> Instant { try base.now() }
    func pruneRefusals(recordedBefore instant: Instant, atMost limit: Int) throws -> Int {
        try base.pruneRefusals(recordedBefore: instant, atMost: limit)
    }
    func insert(_ key: APIKey) throws { try base.insert(key) }
    func revokeAPIKey(id: String, at instant: Instant) throws -> Bool {
        try base.revokeAPIKey(id: id, at: instant)
    }
    func head() throws -> Head { try base.head() }
    func epochs() throws -> [Epoch] { try base.epochs() }
    func externalBalances() throws -> [Currency: Int64] { try base.externalBalances() }
    func wallets(_ ids: [WalletID]) throws -> [Wallet] { try base.wallets(ids) }
    func wallets(ofUser userID: String, after: WalletID?, limit: Int) throws -> [Wallet] {
        try base.wallets(ofUser: userID, after: after, limit: limit)
    }
    func walletCount(of owner: WalletOwner, limit: Int) throws -> Int {
        try base.walletCount(of: owner, limit: limit)
    }
    func walletSums() throws -> [WalletSum] { try base.walletSums() }
    func wallets(after: WalletID?, limit: Int) throws -> [Wallet] {
        try base.wallets(after: after, limit: limit)
    }
    func holds(_ ids: [HoldID]) throws -> [Hold] { try base.holds(ids) }
    func holds(of wallet: WalletID, _ query: HoldQuery) throws -> [Hold] {
        try base.holds(of: wallet, query)
    }
    func dueHolds(of wallets: [WalletID], at instant: Instant) throws -> [Hold] {
        try base.dueHolds(of: wallets, at: instant)
    }
    func dueHolds(at instant: Instant, limit: Int) throws -> [Hold] {
        try base.dueHolds(at: instant, limit: limit)
    }
    func unrecordedExpiries(of wallet: WalletID, at instant: Instant) throws -> Expiries {
        try base.unrecordedExpiries(of: wallet, at: instant)
    }
    func keys(_ keys: [Digest]) throws -> [KeyRecord] { try base.keys(keys) }
    func refusals(_ keys: [Digest]) throws -> [RefusalRecord] { try base.refusals(keys) }
    func references(_ keys: [ReferenceKey]) throws -> [ReferenceRecord] {
        try base.references(keys)
    }
    func references(
        of wallet: WalletID, _ reference: [UInt8], limit: Int
    ) throws -> [ReferenceUse] {
        try base.references(of: wallet, reference, limit: limit)
    }
    func reversals(_ positions: [Int64]) throws -> [ReversalRecord] {
        try base.reversals(positions)
    }
    func texts(_ positions: [Int64]) throws -> [TextRecord] { try base.texts(positions) }
    func lastEntry(of wallet: WalletID, at instant: Instant) throws -> Entry? {
        try base.lastEntry(of: wallet, at: instant)
    }
    func entries(of wallet: WalletID, _ query: EntryQuery) throws -> EntryPage {
        try base.entries(of: wallet, query)
    }
    func segment(containing position: Int64) throws -> Segment? {
        try base.segment(containing: position)
    }
    func apiKey(hash: Digest) throws -> APIKey? { try base.apiKey(hash: hash) }
    func apiKey(id: String) throws -> APIKey? { try base.apiKey(id: id) }
    func apiKeys() throws -> [APIKey] { try base.apiKeys() }
    func apiKeys(after: APIKeyPlace?, limit: Int) throws -> [APIKey] {
        try base.apiKeys(after: after, limit: limit)
    }
    func tally() throws -> Tally { try base.tally() }
    func checkStorage() throws { try base.checkStorage() }

    func texts(after position: Int64, limit: Int) throws -> [TextRecord] {
        try base.texts(after: position, limit: limit)
    }
    func refusals(after key: Digest?, limit: Int) throws -> [RefusalRecord] {
        try base.refusals(after: key, limit: limit)
    }
    func unfinishedImport() throws -> Instant? { try base.unfinishedImport() }
    func eraseTexts(_ positions: [Int64]) throws -> Int { try base.eraseTexts(positions) }
    func setTimeline(_ head: Head, epochs: [Epoch]) throws {
        try base.setTimeline(head, epochs: epochs)
    }
    func setUnfinishedImport(_ startedAt: Instant?) throws {
        try base.setUnfinishedImport(startedAt)
    }
    func clearProjections() throws { try base.clearProjections() }
    func clearAll(leaving head: Head) throws { try base.clearAll(leaving: head) }
}
