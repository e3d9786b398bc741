/// What users may do by their own tokens. Whatever is not named here is the platform's alone, on
/// whichever way it gets here.
extension LedgerState {
    func draft(
        _ instruction: Instruction, of user: UserID, by actor: Actor, at moment: Moment
    ) throws(Refusal) -> Draft {
        switch instruction.command {
        case .openWallet(let userID, let currency):
            return try open(userID, currency, of: user, at: moment)
        case .transfer(let from, let to, let amount, let currency, let reference):
            if from == to { throw Refusal(.sameWallet, [.wallet(from)]) }
            let debited = try wallet(from, of: user)
            try checkReference(reference, of: from, by: actor)
            try debited.checkVersion(instruction.ifMatch)
            try debited.checkCurrency(currency)
            try debited.checkNotFrozen()
            try debited.checkNotClosed()
            try debited.checkAvailable(amount)
            return try movement(
                amount, from: .inside(debited),
                to: .inside(try recipient(to, of: amount, in: debited.currency)),
                .transferred(
                    Movement(
                        transaction: moment.identifier(), amount: amount,
                        currency: debited.currency, reference: reference)))
        case .deposit, .withdraw, .placeHold, .captureHold, .releaseHold, .reverse, .freezeWallet,
            .unfreezeWallet, .closeWallet:
            throw Refusal(.forbidden)
        }
    }

    private func open(
        _ userID: String, _ currency: Currency, of user: UserID, at moment: Moment
    ) throws(Refusal) -> Draft {
        guard UserID(userID) == user else { throw Refusal(.forbidden) }
        let owner = WalletOwner(user: user, currency: currency)
        guard let count = walletCounts[owner], count < WalletOwner.limit else {
            throw Refusal(.forbidden, [.init("allowed", .integer(Int64(WalletOwner.limit)))])
        }
        return .opening(userID, currency, at: moment)
    }

    /// A wallet of the user; anybody else's does not exist.
    private func wallet(_ id: WalletID, of user: UserID) throws(Refusal) -> Wallet {
        let wallet = try wallet(id)
        guard user.owns(wallet) else { throw Refusal(.walletNotFound, [.wallet(id)]) }
        return wallet
    }

    /// A wallet that can take the money. Judged last, and by one refusal for every reason, so that
    /// nobody learns of a stranger's wallet without paying for it.
    private func recipient(
        _ id: WalletID, of amount: Amount, in currency: Currency
    ) throws(Refusal) -> Wallet {
        guard let wallet = wallets[id], wallet.currency == currency, wallet.status != .closed,
            amount.minorUnits <= Amount.maximum - wallet.total
        else { throw Refusal(.recipientUnavailable, [.wallet(id)]) }
        return wallet
    }
}
