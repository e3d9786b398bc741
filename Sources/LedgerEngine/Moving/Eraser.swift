package import WalletCore

/// Removes free text for good; the log still proves, since it holds only commitments to it.
package struct Eraser: Sendable {
    /// Positions that one transaction looks at.
    private static let batchSize = 500

    /// Which events' text to remove.
    package enum Target: Hashable, Sendable {
        case position(Int64)
        case transaction(TransactionID)
        /// Every event that touched the wallet, transfers with others too.
        case wallet(WalletID)
    }

    /// The log has nothing of that name.
    package struct NotFound: Error, Hashable {}

    private let store: any LedgerStore

    package init(store: any LedgerStore) {
        self.store = store
    }

    /// Erases, and says how many texts there were; doing it again finds none.
    package func erase(_ target: Target) async throws -> Int {
        switch target {
        case .position(let position):
            return try await store.write { transaction in
                guard (1...).contains(position), position <= (try transaction.head().position)
                else { throw NotFound() }
                return try transaction.eraseTexts([position])
            }
        case .transaction(let id):
            return try await store.write { transaction in
                let position = id.embeddedPosition
                guard try transaction.events(at: [position])[position]?.movement?.transaction == id
                else { throw NotFound() }
                return try transaction.eraseTexts([position])
            }
        case .wallet(let id):
            return try await eraseAll(of: id)
        }
    }

    private func eraseAll(of wallet: WalletID) async throws -> Int {
        var count = 0
        var next: Instant? = .earliest
        while let from = next {
            let (erased, last) = try await store.write { transaction in
                let entries = try transaction.entries(
                    of: wallet,
                    EntryQuery(
                        types: EventType.allCases, from: from, until: .latest, isAscending: true,
                        limit: Eraser.batchSize)
                ).entries
                guard from > .earliest || !entries.isEmpty else { throw NotFound() }
                let erased = try transaction.eraseTexts(entries.map(\.position))
                return (erased, entries.last?.recordedAt)
            }
            count += erased
            next = last?.advanced(byMicroseconds: 1)
        }
        return count
    }
}
