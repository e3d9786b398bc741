/// One side of a movement: a wallet as it is, or the outside.
enum Party {
    case inside(Wallet)
    case outside(Currency)

    var wallet: Wallet? {
        switch self {
        case .inside(let wallet): wallet
        case .outside: nil
        }
    }

    var account: Account {
        switch self {
        case .inside(let wallet): .wallet(wallet.id)
        case .outside(let currency): .external(currency)
        }
    }
}

extension LedgerState {
    /// Moves an amount between two parties, if the debited one has it and both can hold the sums.
    func movement(
        _ amount: Amount, from: Party, to: Party, _ change: Change
    ) throws(Refusal) -> Draft {
        try from.wallet?.checkNotClosed()
        try to.wallet?.checkNotClosed()
        try from.wallet?.checkAvailable(amount)
        try to.wallet?.checkRoom(for: amount)
        try checkExternal(from, -amount.minorUnits)
        try checkExternal(to, amount.minorUnits)
        var balances: [BalanceAfter] = []
        if let wallet = from.wallet {
            balances.append(wallet.after(change: -amount.minorUnits, held: 0))
        }
        if let wallet = to.wallet {
            balances.append(wallet.after(change: amount.minorUnits, held: 0))
        }
        return Draft(
            change: change,
            postings: [
                Posting(account: from.account, amount: -amount.minorUnits),
                Posting(account: to.account, amount: amount.minorUnits),
            ],
            balances: balances)
    }

    func wallet(_ id: WalletID) throws(Refusal) -> Wallet {
        guard let wallet = wallets[id] else { throw Refusal(.walletNotFound, [.wallet(id)]) }
        return wallet
    }

    func hold(_ id: HoldID) throws(Refusal) -> Hold {
        guard let hold = holds[id] else {
            throw Refusal(.holdNotFound, [.init("holdId", .text(id.description))])
        }
        return hold
    }

    func party(_ account: Account) throws(Refusal) -> Party {
        switch account {
        case .wallet(let id): .inside(try wallet(id))
        case .external(let currency): .outside(currency)
        }
    }

    func checkReference(
        _ reference: String?, of wallet: WalletID, by actor: Actor
    ) throws(Refusal) {
        guard let reference else { return }
        let key = ReferenceKey(wallet: wallet, scope: actor.scope, reference: reference)
        guard let first = references[key] else { return }
        let isHold = holds[HoldID(high: first.id.high, low: first.id.low)] != nil
        throw Refusal(
            .referenceAlreadyUsed,
            [
                .init("reference", .text(reference)),
                .init(isHold ? "holdId" : "transactionId", .text(first.id.description)),
            ])
    }

    /// The external accounts' sums are 64-bit numbers too.
    private func checkExternal(_ party: Party, _ change: Int64) throws(Refusal) {
        guard case .outside(let currency) = party else { return }
        let (_, overflow) = external[currency, default: 0].addingReportingOverflow(change)
        if overflow { throw Refusal(.balanceOverflow, [.init("currency", .text(currency.code))]) }
    }
}

extension Refusal.Member {
    static func wallet(_ id: WalletID) -> Refusal.Member {
        .init("walletId", .text(id.description))
    }
}

extension Wallet {
    func checkVersion(_ expected: Int64?) throws(Refusal) {
        guard let expected, expected != version else { return }
        throw Refusal(.versionMismatch, [.wallet(id), .init("version", .integer(version))])
    }

    func checkCurrency(_ expected: Currency?) throws(Refusal) {
        guard let expected, expected != currency else { return }
        throw Refusal(
            .currencyMismatch,
            [
                .wallet(id), .init("currency", .text(currency.code)),
                .init("requested", .text(expected.code)),
            ])
    }

    func checkNotFrozen() throws(Refusal) {
        if status == .frozen { throw Refusal(.walletFrozen, [.wallet(id)]) }
    }

    func checkNotClosed() throws(Refusal) {
        if status == .closed { throw Refusal(.walletClosed, [.wallet(id)]) }
    }

    func checkAvailable(_ amount: Amount) throws(Refusal) {
        guard amount.minorUnits > available else { return }
        throw Refusal(
            .insufficientFunds,
            [
                .wallet(id), .init("available", .integer(available)),
                .init("requested", .integer(amount.minorUnits)),
            ])
    }

    func checkRoom(for amount: Amount) throws(Refusal) {
        // Both are at most 2^53 − 1, so the difference cannot overflow.
        let room = Amount.maximum - total
        guard amount.minorUnits > room else { return }
        throw Refusal(
            .balanceOverflow,
            [
                .wallet(id), .init("allowed", .integer(room)),
                .init("requested", .integer(amount.minorUnits)),
            ])
    }

    /// The wallet's numbers after a change of its total and of what is held, checked before.
    func after(change: Int64, held heldChange: Int64) -> BalanceAfter {
        BalanceAfter(
            wallet: id, version: version + 1, total: total + change, held: held + heldChange)
    }
}

extension Hold {
    func checkOpen() throws(Refusal) {
        guard status != .open else { return }
        throw Refusal(
            .holdNotOpen,
            [.init("holdId", .text(id.description)), .init("holdStatus", .text(status.name))])
    }
}
