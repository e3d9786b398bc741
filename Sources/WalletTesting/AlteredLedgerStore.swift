package import LedgerEngine
package import WalletCore

/// A store in front of another that shows something else than what is in it, as damage would.
package final class AlteredLedgerStore: LedgerStore {
    /// What is changed on the way out; whatever is not set comes through as it is.
    package struct Alteration: Sendable {
        package var head: @Sendable (Head) -> Head = { $0 }
        package var epochs: @Sendable ([Epoch]) -> [Epoch] = { $0 }
        package var external: @Sendable ([Currency: Int64]) -> [Currency: Int64] = { $0 }
        package var wallets: @Sendable ([Wallet]) -> [Wallet] = { $0 }
        package var holds: @Sendable ([Hold]) -> [Hold] = { $0 }
        package var keys: @Sendable ([KeyRecord]) -> [KeyRecord] = { $0 }
        package var references: @Sendable ([ReferenceRecord]) -> [ReferenceRecord] = { $0 }
        package var reversals: @Sendable ([ReversalRecord]) -> [ReversalRecord] = { $0 }
        package var texts: @Sendable ([TextRecord]) -> [TextRecord] = { $0 }
        package var entry: @Sendable (Entry?) -> Entry? = { $0 }
        package var segment: @Sendable (Segment?) -> Segment? = { $0 }
        package var tally: @Sendable (Tally) -> Tally = { $0 }

        package init() {}
    }

    private let base: any LedgerStore
    private let alteration: Alteration

    package init(_ base: any LedgerStore, _ change: (inout Alteration) -> Void) {
        self.base = base
        var alteration = Alteration()
        change(&alteration)
        self.alteration = alteration
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerSnapshot) throws -> Value
    ) async throws -> Value {
        try await base.read { [alteration] snapshot in
            try body(AlteredSnapshot(base: snapshot, alteration: alteration))
        }
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerTransaction) throws -> Value
    ) async throws -> Value {
        try await base.write(body)
    }
}

private struct AlteredSnapshot: LedgerSnapshot {
    let base: any LedgerSnapshot
    let alteration: AlteredLedgerStore.Alteration

    func head() throws -> Head { alteration.head(try base.head()) }
    func epochs() throws -> [Epoch] { alteration.epochs(try base.epochs()) }
    func externalBalances() throws -> [Currency: Int64] {
        alteration.external(try base.externalBalances())
    }
    func wallets(_ ids: [WalletID]) throws -> [Wallet] {
        alteration.wallets(try base.wallets(ids))
    }
    func wallets(ofUser userID: String, after: WalletID?, limit: Int) throws -> [Wallet] {
        alteration.wallets(try base.wallets(ofUser: userID, after: after, limit: limit))
    }
    func walletCount(of owner: WalletOwner, limit: Int) throws -> Int {
        try base.walletCount(of: owner, limit: limit)
    }
    func walletSums() throws -> [WalletSum] { try base.walletSums() }
    func wallets(after: WalletID?, limit: Int) throws -> [Wallet] {
        alteration.wallets(try base.wallets(after: after, limit: limit))
    }
    func holds(_ ids: [HoldID]) throws -> [Hold] { alteration.holds(try base.holds(ids)) }
    func holds(of wallet: WalletID, _ query: HoldQuery) throws -> [Hold] {
        alteration.holds(try base.holds(of: wallet, query))
    }
    func dueHolds(of wallets: [WalletID], at instant: Instant) throws -> [Hold] {
        alteration.holds(try base.dueHolds(of: wallets, at: instant))
    }
    func dueHolds(at instant: Instant, limit: Int) throws -> [Hold] {
        alteration.holds(try base.dueHolds(at: instant, limit: limit))
    }
    func unrecordedExpiries(of wallet: WalletID, at instant: Instant) throws -> Expiries {
        try base.unrecordedExpiries(of: wallet, at: instant)
    }
    func keys(_ keys: [Digest]) throws -> [KeyRecord] { alteration.keys(try base.keys(keys)) }
    func refusals(_ keys: [Digest]) throws -> [RefusalRecord] { try base.refusals(keys) }
    func references(_ keys: [ReferenceKey]) throws -> [ReferenceRecord] {
        alteration.references(try base.references(keys))
    }
    func references(
        of wallet: WalletID, _ reference: [UInt8], limit: Int
    ) throws -> [ReferenceUse] {
        try base.references(of: wallet, reference, limit: limit)
    }
    func reversals(_ positions: [Int64]) throws -> [ReversalRecord] {
        alteration.reversals(try base.reversals(positions))
    }
    func texts(_ positions: [Int64]) throws -> [TextRecord] {
        alteration.texts(try base.texts(positions))
    }
    func lastEntry(of wallet: WalletID, at instant: Instant) throws -> Entry? {
        alteration.entry(try base.lastEntry(of: wallet, at: instant))
    }
    func entries(of wallet: WalletID, _ query: EntryQuery) throws -> EntryPage {
        var page = try base.entries(of: wallet, query)
        page.entries = page.entries.compactMap { alteration.entry($0) }
        return page
    }
    func segment(containing position: Int64) throws -> Segment? {
        alteration.segment(try base.segment(containing: position))
    }
    func apiKey(hash: Digest) throws -> APIKey? { try base.apiKey(hash: hash) }
    func apiKey(id: String) throws -> APIKey? { try base.apiKey(id: id) }
    func apiKeys() throws -> [APIKey] { try base.apiKeys() }
    func texts(after position: Int64, limit: Int) throws -> [TextRecord] {
        alteration.texts(try base.texts(after: position, limit: limit))
    }
    func refusals(after key: Digest?, limit: Int) throws -> [RefusalRecord] {
        try base.refusals(after: key, limit: limit)
    }
    func unfinishedImport() throws -> Instant? { try base.unfinishedImport() }
    func apiKeys(after: APIKeyPlace?, limit: Int) throws -> [APIKey] {
        try base.apiKeys(after: after, limit: limit)
    }
    func tally() throws -> Tally { alteration.tally(try base.tally()) }
    func checkStorage() throws { try base.checkStorage() }
}
