package import WalletCore

/// A ledger whose import was cut off, or is still going on: it refuses to be opened.
package struct UnfinishedImport: Error, Hashable {
    package var startedAt: Instant

    package init(startedAt: Instant) {
        self.startedAt = startedAt
    }
}

extension LedgerSnapshot {
    /// Keeps a service that was there before the import from using what is only half there.
    func requireFinishedImport() throws {
        guard try unfinishedImport() == nil else {
            throw StoreError.unavailable(reason: "a ledger is being imported")
        }
    }
}
