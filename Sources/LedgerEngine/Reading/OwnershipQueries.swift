package import WalletCore

/// What belongs to a user. A wallet never changes hands, so an answer stays right.
extension Queries {
    /// Which of these wallets are the user's.
    package func wallets(
        _ ids: [WalletID], of user: UserID, after token: ConsistencyToken?
    ) async throws -> Reading<Set<WalletID>> {
        try await read(after: token) { snapshot, _ in try snapshot.wallets(ids, of: user) }
    }

    /// Whether a hold is of one of the user's wallets.
    package func isHold(
        _ id: HoldID, of user: UserID, after token: ConsistencyToken?
    ) async throws -> Reading<Bool> {
        try await read(after: token) { snapshot, _ in
            try !snapshot.wallets(snapshot.holds([id]).map(\.wallet), of: user).isEmpty
        }
    }

    /// Whether a transaction touches one of the user's wallets.
    package func isTransaction(
        _ id: TransactionID, of user: UserID, after token: ConsistencyToken?
    ) async throws -> Reading<Bool> {
        try await read(after: token) { snapshot, head in
            let position = id.embeddedPosition
            guard (1...max(head.position, 1)).contains(position),
                let event = try snapshot.events(at: [position])[position],
                event.movement?.transaction == id
            else { return false }
            return try !snapshot.wallets(event.balances.map(\.wallet), of: user).isEmpty
        }
    }
}

extension LedgerSnapshot {
    fileprivate func wallets(_ ids: [WalletID], of user: UserID) throws -> Set<WalletID> {
        Set(try wallets(ids).lazy.filter { user.owns($0) }.map(\.id))
    }
}
