import Testing
import WalletCore

/// The contract once more, in the plainest form: dictionaries, sums, and a list of all that
/// speaks against a command. Written from the contract, to be compared with what decides.
struct ReferenceModel {
    struct Purse: Equatable {
        var currency: Currency
        var total: Int64 = 0
        var held: Int64 = 0
        var version: Int64 = 1
        var isFrozen = false
        var isClosed = false

        var available: Int64 { total - held }
    }

    struct Reservation {
        var wallet: WalletID
        var amount: Int64
        var expiresAt: Instant?
        var isOpen = true
    }

    struct Move {
        var from: WalletID?
        var to: WalletID?
        var amount: Int64
        var reversed: Int64 = 0
        var isReversal = false
    }

    /// Reasons of a lower rank are given first; among those of one rank any may be.
    enum Rank: Int {
        case shape, existence, reference, version, state, funds, room
    }

    var purses: [WalletID: Purse] = [:]
    var reservations: [HoldID: Reservation] = [:]
    var moves: [TransactionID: Move] = [:]
    private var usedReferences: Set<String> = []

    /// The wallets that a command has to do with.
    func involved(_ command: Command) -> Set<WalletID> {
        switch command {
        case .openWallet: []
        case .deposit(let wallet, _, _, _), .withdraw(let wallet, _, _, _),
            .placeHold(let wallet, _, _, _, _), .freezeWallet(let wallet),
            .unfreezeWallet(let wallet), .closeWallet(let wallet):
            [wallet]
        case .transfer(let from, let to, _, _, _): [from, to]
        case .captureHold(let hold, _, let to):
            Set([reservations[hold]?.wallet, to].compactMap { $0 })
        case .releaseHold(let hold): Set([reservations[hold]?.wallet].compactMap { $0 })
        case .reverse(let move, _): Set([moves[move]?.from, moves[move]?.to].compactMap { $0 })
        }
    }
}

// MARK: - What speaks against a command

extension ReferenceModel {
    private typealias Reasons = [(rank: Rank, code: Refusal.Code)]

    /// The reasons that may be given for refusing a command; empty if it must succeed.
    func reasons(
        against command: Command, by actor: Actor, ifMatch: Int64?, at time: Instant
    ) -> Set<Refusal.Code> {
        let all = allReasons(against: command, by: actor, ifMatch: ifMatch, at: time)
        guard let first = all.map(\.rank.rawValue).min() else { return [] }
        return Set(all.filter { $0.rank.rawValue == first }.map(\.code))
    }

    private func allReasons(
        against command: Command, by actor: Actor, ifMatch: Int64?, at time: Instant
    ) -> Reasons {
        var reasons: Reasons = []
        switch command {
        case .openWallet:
            break
        case .deposit(let wallet, let amount, let currency, let reference):
            reasons += against(reference, of: wallet, by: actor)
            reasons += against(wallet, version: ifMatch, currency: currency)
            reasons += credit(wallet, amount.minorUnits)
        case .withdraw(let wallet, let amount, let currency, let reference):
            reasons += against(reference, of: wallet, by: actor)
            reasons += against(wallet, version: ifMatch, currency: currency)
            reasons += debit(wallet, amount.minorUnits)
        case .transfer(let from, let to, let amount, let currency, let reference):
            if from == to { reasons.append((.shape, .sameWallet)) }
            reasons += against(reference, of: from, by: actor)
            reasons += against(from, version: ifMatch, currency: currency)
            reasons += against(to, version: nil, currency: purses[from]?.currency)
            reasons += debit(from, amount.minorUnits)
            reasons += credit(to, amount.minorUnits)
        case .placeHold(let wallet, let amount, let currency, let expiresAt, let reference):
            reasons += against(reference, of: wallet, by: actor)
            reasons += against(wallet, version: ifMatch, currency: currency)
            reasons += debit(wallet, amount.minorUnits)
            if let expiresAt, expiresAt <= time { reasons.append((.state, .validationFailed)) }
        case .captureHold(let id, let amount, let to):
            guard let hold = reservations[id] else { return [(.existence, .holdNotFound)] }
            reasons += against(hold.wallet, version: ifMatch, currency: nil)
            if !hold.isOpen { reasons.append((.state, .holdNotOpen)) }
            let taken = amount?.minorUnits ?? hold.amount
            if taken > hold.amount { reasons.append((.state, .holdExceeded)) }
            guard let to else { break }
            if to == hold.wallet { reasons.append((.shape, .sameWallet)) }
            reasons += against(to, version: nil, currency: purses[hold.wallet]?.currency)
            reasons += credit(to, taken)
        case .releaseHold(let id):
            guard let hold = reservations[id] else { return [(.existence, .holdNotFound)] }
            reasons += against(hold.wallet, version: ifMatch, currency: nil)
            if !hold.isOpen { reasons.append((.state, .holdNotOpen)) }
        case .reverse(let id, let amount):
            guard let move = moves[id] else { return [(.existence, .transactionNotFound)] }
            reasons += against(reversing: move, amount?.minorUnits, version: ifMatch)
        case .freezeWallet(let wallet), .unfreezeWallet(let wallet):
            reasons += against(wallet, version: ifMatch, currency: nil)
            if purses[wallet]?.isClosed == true { reasons.append((.state, .walletClosed)) }
        case .closeWallet(let wallet):
            reasons += against(wallet, version: ifMatch, currency: nil)
            if purses[wallet]?.isClosed == true { reasons.append((.state, .walletClosed)) }
            if purses[wallet]?.total ?? 0 > 0 { reasons.append((.funds, .walletNotEmpty)) }
        }
        return reasons
    }

    private func against(
        _ wallet: WalletID, version: Int64?, currency: Currency?
    ) -> Reasons {
        guard let purse = purses[wallet] else { return [(.existence, .walletNotFound)] }
        var reasons: Reasons = []
        if let version, version != purse.version { reasons.append((.version, .versionMismatch)) }
        if let currency, currency != purse.currency {
            reasons.append((.state, .currencyMismatch))
        }
        return reasons
    }

    private func against(_ reference: String?, of wallet: WalletID, by actor: Actor) -> Reasons {
        guard let reference, usedReferences.contains("\(wallet) \(actor) \(reference)") else {
            return []
        }
        return [(.reference, .referenceAlreadyUsed)]
    }

    private func against(reversing move: Move, _ amount: Int64?, version: Int64?) -> Reasons {
        var reasons: Reasons = []
        if let wallet = move.to ?? move.from {
            reasons += against(wallet, version: version, currency: nil)
        }
        if move.isReversal { return reasons + [(.state, .notReversible)] }
        let left = move.amount - move.reversed
        if left == 0 { return reasons + [(.state, .alreadyReversed)] }
        let moved = amount ?? left
        if moved > left { reasons.append((.state, .reversalExceeded)) }
        if let from = move.to, let purse = purses[from] {
            if purse.isClosed { reasons.append((.state, .walletClosed)) }
            if moved > purse.available { reasons.append((.funds, .insufficientFunds)) }
        }
        if let to = move.from { reasons += credit(to, moved) }
        return reasons
    }

    private func debit(_ wallet: WalletID, _ amount: Int64) -> Reasons {
        guard let purse = purses[wallet] else { return [] }
        var reasons: Reasons = []
        if purse.isFrozen { reasons.append((.state, .walletFrozen)) }
        if purse.isClosed { reasons.append((.state, .walletClosed)) }
        if amount > purse.available { reasons.append((.funds, .insufficientFunds)) }
        return reasons
    }

    private func credit(_ wallet: WalletID, _ amount: Int64) -> Reasons {
        guard let purse = purses[wallet] else { return [] }
        var reasons: Reasons = []
        if purse.isClosed { reasons.append((.state, .walletClosed)) }
        if purse.total + amount > 9_007_199_254_740_991 {
            reasons.append((.room, .balanceOverflow))
        }
        return reasons
    }
}

// MARK: - What a command does

extension ReferenceModel {
    /// Does what a command that succeeded must have done; only new identifiers are the ledger's.
    mutating func perform(_ command: Command, by actor: Actor, made change: Change) {
        for wallet in involved(command) { purses[wallet]?.version += 1 }
        switch command {
        case .openWallet(_, let currency):
            guard case .walletOpened(let id, _, _) = change else { return wrong(change) }
            purses[id] = Purse(currency: currency)
        case .deposit(let wallet, let amount, _, let reference):
            use(reference, of: wallet, by: actor)
            move(amount.minorUnits, from: nil, to: wallet, change)
        case .withdraw(let wallet, let amount, _, let reference):
            use(reference, of: wallet, by: actor)
            move(amount.minorUnits, from: wallet, to: nil, change)
        case .transfer(let from, let to, let amount, _, let reference):
            use(reference, of: from, by: actor)
            move(amount.minorUnits, from: from, to: to, change)
        case .placeHold(let wallet, let amount, _, let expiresAt, let reference):
            guard case .holdPlaced(let id, _, _, _, _, _) = change else { return wrong(change) }
            use(reference, of: wallet, by: actor)
            purses[wallet]?.held += amount.minorUnits
            reservations[id] = Reservation(
                wallet: wallet, amount: amount.minorUnits, expiresAt: expiresAt)
        case .captureHold(let id, let amount, let to):
            guard let hold = reservations[id] else { return wrong(change) }
            letGo(id)
            move(amount?.minorUnits ?? hold.amount, from: hold.wallet, to: to, change)
        case .releaseHold(let id):
            letGo(id)
        case .reverse(let id, let amount):
            guard let original = moves[id] else { return wrong(change) }
            let moved = amount?.minorUnits ?? original.amount - original.reversed
            moves[id]?.reversed += moved
            move(moved, from: original.to, to: original.from, change, isReversal: true)
        case .freezeWallet(let wallet):
            purses[wallet]?.isFrozen = true
        case .unfreezeWallet(let wallet):
            purses[wallet]?.isFrozen = false
        case .closeWallet(let wallet):
            purses[wallet]?.isFrozen = false
            purses[wallet]?.isClosed = true
        }
    }

    /// Lets a hold's time come.
    mutating func expire(_ id: HoldID) {
        if let wallet = reservations[id]?.wallet { purses[wallet]?.version += 1 }
        letGo(id)
    }

    private mutating func letGo(_ id: HoldID) {
        guard let hold = reservations[id] else { return }
        purses[hold.wallet]?.held -= hold.amount
        reservations[id]?.isOpen = false
    }

    private mutating func move(
        _ amount: Int64, from: WalletID?, to: WalletID?, _ change: Change, isReversal: Bool = false
    ) {
        if let from { purses[from]?.total -= amount }
        if let to { purses[to]?.total += amount }
        switch change {
        case .deposited(let movement), .withdrawn(let movement), .transferred(let movement),
            .holdCaptured(let movement, _, _, _), .reversed(let movement, _, _):
            moves[movement.transaction] = Move(
                from: from, to: to, amount: amount, isReversal: isReversal)
        case .walletOpened, .holdPlaced, .holdReleased, .holdExpired, .walletFrozen,
            .walletUnfrozen, .walletClosed:
            wrong(change)
        }
    }

    private mutating func use(_ reference: String?, of wallet: WalletID, by actor: Actor) {
        guard let reference else { return }
        usedReferences.insert("\(wallet) \(actor) \(reference)")
    }

    private func wrong(_ change: Change) {
        Issue.record("not what the command asked for: \(change)")
    }
}
