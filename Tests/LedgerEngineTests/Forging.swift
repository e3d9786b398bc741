import LedgerEngine
import WalletCore

// MARK: - The forger's tools

extension Verifier.Fault? {
    /// Whether there is a fault, at this position and for this reason.
    func isAt(_ position: Int64, _ reason: String) -> Bool {
        self?.position == position && self?.reason == reason
    }
}

extension [Posting] {
    var swappingAccounts: [Posting] {
        zip(self, reversed()).map { Posting(account: $1.account, amount: $0.amount) }
    }
}

extension Event {
    /// The balances are those of these wallets; their numbers are for later.
    mutating func touch(_ wallets: [WalletID]) {
        balances = wallets.map { BalanceAfter(wallet: $0, version: 0, total: 0, held: 0) }
    }

    /// What the event adds to what is held of a wallet.
    func heldChange(of wallet: WalletID) -> Int64 {
        switch change {
        case .holdPlaced(_, wallet, let amount, _, _, _): amount.minorUnits
        case .holdCaptured(let movement, _, wallet, let released):
            -movement.amount.minorUnits - released
        case .holdReleased(_, wallet, let amount, _), .holdExpired(_, wallet, let amount, _, _):
            -amount.minorUnits
        case .walletOpened, .deposited, .withdrawn, .transferred, .holdPlaced, .holdCaptured,
            .holdReleased, .holdExpired, .reversed, .walletFrozen, .walletUnfrozen, .walletClosed:
            0
        }
    }
}

extension Change {
    /// The same hold with another end.
    func expiring(at instant: Instant) -> Change {
        switch self {
        case .holdPlaced(let hold, let wallet, let amount, let currency, _, let reference):
            .holdPlaced(
                hold: hold, wallet: wallet, amount: amount, currency: currency,
                expiresAt: instant, reference: reference)
        case .holdExpired(let hold, let wallet, let amount, let currency, _):
            .holdExpired(
                hold: hold, wallet: wallet, amount: amount, currency: currency, expiresAt: instant)
        case .walletOpened, .deposited, .withdrawn, .transferred, .holdCaptured, .holdReleased,
            .reversed, .walletFrozen, .walletUnfrozen, .walletClosed:
            self
        }
    }
}

extension [Event] {
    /// Puts a freeze in the place of what was there.
    mutating func freeze(_ wallet: WalletID, at index: Int) {
        self[index].change = .walletFrozen(wallet: wallet)
        self[index].postings = []
        self[index].touch([wallet])
    }

    /// Makes every balance what the postings and holds before it come to.
    mutating func makeBalancesFollow() {
        var last: [WalletID: BalanceAfter] = [:]
        for index in indices {
            for place in self[index].balances.indices {
                let wallet = self[index].balances[place].wallet
                var balance =
                    last[wallet] ?? BalanceAfter(wallet: wallet, version: 0, total: 0, held: 0)
                balance.version += 1
                balance.total += self[index].change(of: wallet)
                balance.held += self[index].heldChange(of: wallet)
                self[index].balances[place] = balance
                last[wallet] = balance
            }
        }
    }
}
