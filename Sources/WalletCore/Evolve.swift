extension LedgerState {
    /// Applies what an event says happened; the only way in which state changes.
    ///
    /// The event was checked when it was decided, so this follows it without questions. Wallets,
    /// holds and transactions that were not loaded are left alone.
    package mutating func evolve(_ event: Event) {
        for posting in event.postings {
            guard case .external(let currency) = posting.account else { continue }
            external[currency, default: 0] += posting.amount
        }
        if case .walletOpened(let id, let userID, let currency) = event.change {
            wallets[id] = Wallet(
                id: id, userID: userID, currency: currency, status: .active, total: 0, held: 0,
                version: 0, createdAt: event.recordedAt, updatedAt: event.recordedAt,
                openedPosition: event.position)
            walletCounts[WalletOwner(user: UserID(userID), currency: currency)]? += 1
        }
        for balance in event.balances {
            wallets[balance.wallet]?.apply(balance, of: event)
        }
        if let reference = event.reference {
            references[reference.key] = ReferenceUse(
                id: reference.id, position: event.position)
        }
        evolveHolds(event)
        if case .reversed(_, let original, let reversedTotal) = event.change {
            transactions[original]?.reversedAmount = reversedTotal
        }
    }

    private mutating func evolveHolds(_ event: Event) {
        switch event.change {
        case .holdPlaced(let id, let wallet, let amount, let currency, let expiresAt, _):
            holds[id] = Hold(
                id: id, wallet: wallet, amount: amount, currency: currency, status: .open,
                capturedAmount: 0, expiresAt: expiresAt, createdAt: event.recordedAt,
                placedPosition: event.position, closedAt: nil)
        case .holdCaptured(let movement, let id, _, _):
            holds[id]?.close(.captured, at: event.recordedAt, captured: movement.amount.minorUnits)
        case .holdReleased(let id, _, _, _):
            holds[id]?.close(.released, at: event.recordedAt)
        case .holdExpired(let id, _, _, _, _):
            holds[id]?.close(.expired, at: event.recordedAt)
        case .walletOpened, .deposited, .withdrawn, .transferred, .reversed, .walletFrozen,
            .walletUnfrozen, .walletClosed:
            break
        }
    }
}

extension Wallet {
    fileprivate mutating func apply(_ balance: BalanceAfter, of event: Event) {
        total = balance.total
        held = balance.held
        version = balance.version
        updatedAt = event.recordedAt
        switch event.change {
        case .walletFrozen: status = .frozen
        case .walletUnfrozen: status = .active
        case .walletClosed: status = .closed
        case .walletOpened, .deposited, .withdrawn, .transferred, .holdPlaced, .holdCaptured,
            .holdReleased, .holdExpired, .reversed:
            break
        }
    }
}

extension Hold {
    fileprivate mutating func close(
        _ status: HoldStatus, at instant: Instant, captured: Int64 = 0
    ) {
        self.status = status
        closedAt = instant
        capturedAmount = captured
    }
}

extension Event {
    /// The business reference that the event uses, and for what.
    ///
    /// It belongs to the debited wallet, and for a deposit to the credited one.
    package var reference: (key: ReferenceKey, id: TransactionID)? {
        switch change {
        case .deposited(let movement), .withdrawn(let movement), .transferred(let movement):
            guard let reference = movement.reference,
                let wallet = postings.lazy.compactMap(\.account.wallet).first
            else { return nil }
            let key = ReferenceKey(
                wallet: wallet, scope: cause.actor.scope, reference: reference)
            return (key, movement.transaction)
        case .holdPlaced(let hold, let wallet, _, _, _, let reference):
            guard let reference else { return nil }
            let key = ReferenceKey(
                wallet: wallet, scope: cause.actor.scope, reference: reference)
            return (key, TransactionID(high: hold.high, low: hold.low))
        case .walletOpened, .holdCaptured, .holdReleased, .holdExpired, .reversed, .walletFrozen,
            .walletUnfrozen, .walletClosed:
            return nil
        }
    }
}
