import WalletCore

/// One currency's books: what came from outside, and what the wallets have of it.
package struct TrialBalanceLine: Hashable, Sendable {
    /// The running sum of the postings to the external account, kept apart from the wallets.
    package var external: Int64
    package var wallets: WalletSum

    /// Zero, or the ledger is damaged.
    package var sum: Int64 { external + wallets.total }
}

extension Queries {
    /// The books of every currency, in the order of their codes, from one snapshot.
    ///
    /// Adds up every wallet, and so takes longer the more there are.
    package func trialBalance(
        after token: ConsistencyToken?
    ) async throws -> Reading<[TrialBalanceLine]> {
        try await read(after: token) { snapshot, _ in
            let external = try snapshot.externalBalances()
            let sums = Dictionary(
                try snapshot.walletSums().map { ($0.currency, $0) },
                uniquingKeysWith: { first, _ in first })
            return Set(external.keys).union(sums.keys).sorted().map { currency in
                TrialBalanceLine(
                    external: external[currency] ?? 0,
                    wallets: sums[currency]
                        ?? WalletSum(currency: currency, wallets: 0, total: 0, held: 0))
            }
        }
    }
}
