/// Where and when the next event goes, and what makes its identifier unlike any other.
package struct Moment: Hashable, Sendable {
    /// The position of the next event.
    package var position: Int64
    package var epoch: Int64
    /// The time of the next event; later than that of the last.
    package var time: Instant
    /// Random bits for one identifier.
    package var entropy: UInt64

    package init(position: Int64, epoch: Int64, time: Instant, entropy: UInt64) {
        self.position = position
        self.epoch = epoch
        self.time = time
        self.entropy = entropy
    }

    func identifier<Kind>() -> Identifier<Kind> {
        Identifier(recordedAt: time, position: position, entropy: entropy)
    }

    /// The moment of the event after the next; every event of the log has its own time.
    package var following: Moment {
        Moment(
            position: position + 1, epoch: epoch, time: time.advanced(byMicroseconds: 1),
            entropy: entropy)
    }
}

/// What a command comes to.
package struct Decision: Sendable {
    /// Holds of the wallets involved whose time had come; facts whatever the outcome is.
    package var expiries: [Event]
    package var outcome: Result<Event, Refusal>
}

/// What a command involves, and so what must be looked up before it can be decided.
package struct Needs: Hashable, Sendable {
    package var wallets: [WalletID] = []
    package var hold: HoldID?
    package var transaction: TransactionID?
    package var reference: ReferenceKey?
    /// Whose wallets are to be counted.
    package var owner: WalletOwner?
}

extension Command {
    /// What must be looked up; a hold's wallet and a transaction's wallets come on top.
    package func needs(by actor: Actor) -> Needs {
        func using(_ reference: String?, _ wallet: WalletID) -> ReferenceKey? {
            reference.map { ReferenceKey(wallet: wallet, scope: actor.scope, reference: $0) }
        }
        switch self {
        case .openWallet(_, let currency):
            return Needs(owner: actor.user.map { WalletOwner(user: $0, currency: currency) })
        case .deposit(let wallet, _, _, let reference), .withdraw(let wallet, _, _, let reference),
            .placeHold(let wallet, _, _, _, let reference):
            return Needs(wallets: [wallet], reference: using(reference, wallet))
        case .transfer(let from, let to, _, _, let reference):
            return Needs(wallets: [from, to], reference: using(reference, from))
        case .captureHold(let hold, _, let to):
            return Needs(wallets: to.map { [$0] } ?? [], hold: hold)
        case .releaseHold(let hold):
            return Needs(hold: hold)
        case .reverse(let transaction, _):
            return Needs(transaction: transaction)
        case .freezeWallet(let wallet), .unfreezeWallet(let wallet), .closeWallet(let wallet):
            return Needs(wallets: [wallet])
        }
    }
}

extension LedgerState {
    /// Decides what a command comes to, here and now.
    ///
    /// A pure function: no clock, no randomness, nothing loaded. Holds of the wallets involved that
    /// are due expire first, each by an event of its own. Then, in this order: existence,
    /// reference, version, status and currency, funds, overflow. After that it must succeed.
    ///
    /// - Parameters:
    ///   - instruction: what is asked.
    ///   - cause: who asks, and under which key.
    ///   - text: the commitment of the instruction's free text, if it has any.
    ///   - moment: where and when the next event goes.
    package func decide(
        _ instruction: Instruction, cause: Cause, text: Digest?, at moment: Moment
    ) -> Decision {
        var state = self
        var next = moment
        var expiries: [Event] = []
        let needs = instruction.command.needs(by: cause.actor)
        var known = -1
        // Those that fall due while others expire come after them.
        while expiries.count > known {
            known = expiries.count
            for hold in state.dueHolds(of: needs, at: next.time) {
                guard let expiry = state.expire(hold, at: next) else { continue }
                state.evolve(expiry)
                expiries.append(expiry)
                next = next.following
            }
        }
        do {
            let draft = try state.draft(instruction, by: cause.actor, at: next)
            let event = Event(
                position: next.position, epoch: next.epoch, recordedAt: next.time, cause: cause,
                change: draft.change, postings: draft.postings, balances: draft.balances,
                text: text)
            return Decision(expiries: expiries, outcome: .success(event))
        } catch {
            return Decision(expiries: expiries, outcome: .failure(error))
        }
    }

    /// The event that records that a hold's time has come; `nil` unless the hold is due.
    package func expire(_ hold: Hold, at moment: Moment) -> Event? {
        guard hold.isDue(at: moment.time), let expiresAt = hold.expiresAt,
            let wallet = wallets[hold.wallet]
        else { return nil }
        return Event(
            position: moment.position, epoch: moment.epoch, recordedAt: moment.time,
            cause: Cause(actor: .system, command: .expire, idempotency: nil),
            change: .holdExpired(
                hold: hold.id, wallet: hold.wallet, amount: hold.amount, currency: hold.currency,
                expiresAt: expiresAt),
            postings: [],
            balances: [wallet.after(change: 0, held: -hold.amount.minorUnits)],
            text: nil)
    }

    /// Holds of the wallets involved that are due, those that were due first before the others.
    private func dueHolds(of needs: Needs, at time: Instant) -> [Hold] {
        guard !holds.isEmpty else { return [] }
        var involved = Set(needs.wallets)
        if let hold = needs.hold.flatMap({ holds[$0] }) { involved.insert(hold.wallet) }
        if let transaction = needs.transaction.flatMap({ transactions[$0] }) {
            involved.formUnion(
                [transaction.debited, transaction.credited].compactMap(\.wallet))
        }
        return holds.values
            .filter { $0.isDue(at: time) && involved.contains($0.wallet) }
            .sorted { ($0.expiresAt ?? .latest, $0.id) < ($1.expiresAt ?? .latest, $1.id) }
    }
}

/// The part of an event that depends on the command.
struct Draft {
    var change: Change
    var postings: [Posting]
    var balances: [BalanceAfter]

    /// A wallet that begins empty.
    static func opening(_ userID: String, _ currency: Currency, at moment: Moment) -> Draft {
        let id: WalletID = moment.identifier()
        return Draft(
            change: .walletOpened(wallet: id, userID: userID, currency: currency), postings: [],
            balances: [BalanceAfter(wallet: id, version: 1, total: 0, held: 0)])
    }
}

extension LedgerState {
    private func draft(
        _ instruction: Instruction, by actor: Actor, at moment: Moment
    ) throws(Refusal) -> Draft {
        if let user = actor.user {
            return try draft(instruction, of: user, by: actor, at: moment)
        }
        let ifMatch = instruction.ifMatch
        switch instruction.command {
        case .openWallet(let userID, let currency):
            return .opening(userID, currency, at: moment)
        case .deposit(let id, let amount, let currency, let reference):
            let wallet = try wallet(id)
            try checkReference(reference, of: id, by: actor)
            try wallet.checkVersion(ifMatch)
            try wallet.checkCurrency(currency)
            return try movement(
                amount, from: .outside(wallet.currency), to: .inside(wallet),
                .deposited(
                    Movement(
                        transaction: moment.identifier(), amount: amount,
                        currency: wallet.currency, reference: reference)))
        case .withdraw(let id, let amount, let currency, let reference):
            let wallet = try wallet(id)
            try checkReference(reference, of: id, by: actor)
            try wallet.checkVersion(ifMatch)
            try wallet.checkCurrency(currency)
            try wallet.checkNotFrozen()
            return try movement(
                amount, from: .inside(wallet), to: .outside(wallet.currency),
                .withdrawn(
                    Movement(
                        transaction: moment.identifier(), amount: amount,
                        currency: wallet.currency, reference: reference)))
        case .transfer(let from, let to, let amount, let currency, let reference):
            if from == to { throw Refusal(.sameWallet, [.wallet(from)]) }
            let debited = try wallet(from)
            let credited = try wallet(to)
            try checkReference(reference, of: from, by: actor)
            try debited.checkVersion(ifMatch)
            try debited.checkCurrency(currency)
            try credited.checkCurrency(debited.currency)
            try debited.checkNotFrozen()
            return try movement(
                amount, from: .inside(debited), to: .inside(credited),
                .transferred(
                    Movement(
                        transaction: moment.identifier(), amount: amount,
                        currency: debited.currency, reference: reference)))
        case .placeHold(let id, let amount, let currency, let expiresAt, let reference):
            let wallet = try wallet(id)
            try checkReference(reference, of: id, by: actor)
            try wallet.checkVersion(ifMatch)
            try wallet.checkCurrency(currency)
            try wallet.checkNotFrozen()
            try wallet.checkNotClosed()
            if let expiresAt, expiresAt <= moment.time {
                throw Refusal(
                    .validationFailed,
                    [.init("field", .text("expiresAt")), .init("allowed", .text("a later time"))])
            }
            try wallet.checkAvailable(amount)
            return Draft(
                change: .holdPlaced(
                    hold: moment.identifier(), wallet: id, amount: amount,
                    currency: wallet.currency, expiresAt: expiresAt, reference: reference),
                postings: [],
                balances: [wallet.after(change: 0, held: amount.minorUnits)])
        case .captureHold(let id, let amount, let to):
            return try capture(id, amount, to: to, ifMatch: ifMatch, at: moment)
        case .releaseHold(let id):
            let hold = try hold(id)
            let wallet = try wallet(hold.wallet)
            try wallet.checkVersion(ifMatch)
            try hold.checkOpen()
            return Draft(
                change: .holdReleased(
                    hold: id, wallet: hold.wallet, amount: hold.amount, currency: hold.currency),
                postings: [],
                balances: [wallet.after(change: 0, held: -hold.amount.minorUnits)])
        case .reverse(let id, let amount):
            return try reverse(id, amount, ifMatch: ifMatch, at: moment)
        case .freezeWallet(let id):
            return try status(id, ifMatch, .walletFrozen(wallet: id))
        case .unfreezeWallet(let id):
            return try status(id, ifMatch, .walletUnfrozen(wallet: id))
        case .closeWallet(let id):
            let draft = try status(id, ifMatch, .walletClosed(wallet: id))
            let wallet = try wallet(id)
            guard wallet.total == 0, wallet.held == 0 else {
                throw Refusal(
                    .walletNotEmpty,
                    [
                        .wallet(id), .init("total", .integer(wallet.total)),
                        .init("held", .integer(wallet.held)),
                    ])
            }
            return draft
        }
    }

    private func capture(
        _ id: HoldID, _ amount: Amount?, to: WalletID?, ifMatch: Int64?, at moment: Moment
    ) throws(Refusal) -> Draft {
        let hold = try hold(id)
        let wallet = try wallet(hold.wallet)
        var destination = Party.outside(hold.currency)
        if let to {
            if to == hold.wallet { throw Refusal(.sameWallet, [.wallet(to)]) }
            destination = .inside(try self.wallet(to))
        }
        try wallet.checkVersion(ifMatch)
        try hold.checkOpen()
        try destination.wallet?.checkCurrency(hold.currency)
        let captured = amount ?? hold.amount
        guard captured <= hold.amount else {
            throw Refusal(
                .holdExceeded,
                [
                    .init("allowed", .integer(hold.amount.minorUnits)),
                    .init("requested", .integer(captured.minorUnits)),
                ])
        }
        let released = hold.amount.minorUnits - captured.minorUnits
        // The held money is what is taken, so it counts as available to its own capture.
        var unlocked = wallet
        unlocked.held -= hold.amount.minorUnits
        return try movement(
            captured, from: .inside(unlocked), to: destination,
            .holdCaptured(
                Movement(
                    transaction: moment.identifier(), amount: captured, currency: hold.currency,
                    reference: nil),
                hold: id, wallet: hold.wallet, released: released))
    }

    private func reverse(
        _ id: TransactionID, _ amount: Amount?, ifMatch: Int64?, at moment: Moment
    ) throws(Refusal) -> Draft {
        guard let original = transactions[id] else {
            throw Refusal(.transactionNotFound, [.init("transactionId", .text(id.description))])
        }
        let from = try party(original.credited)
        let to = try party(original.debited)
        try (from.wallet ?? to.wallet)?.checkVersion(ifMatch)
        if original.type == .reversed { throw Refusal(.notReversible) }
        let left = original.amount.minorUnits - original.reversedAmount
        guard let leftAmount = Amount(left) else {
            throw Refusal(
                .alreadyReversed, [.init("reversedAmount", .integer(original.reversedAmount))])
        }
        let moved = amount ?? leftAmount
        guard moved <= leftAmount else {
            throw Refusal(
                .reversalExceeded,
                [
                    .init("allowed", .integer(left)),
                    .init("requested", .integer(moved.minorUnits)),
                ])
        }
        return try movement(
            moved, from: from, to: to,
            .reversed(
                Movement(
                    transaction: moment.identifier(), amount: moved, currency: original.currency,
                    reference: nil),
                reverses: id, reversedTotal: original.reversedAmount + moved.minorUnits))
    }

    private func status(
        _ id: WalletID, _ ifMatch: Int64?, _ change: Change
    ) throws(Refusal) -> Draft {
        let wallet = try wallet(id)
        try wallet.checkVersion(ifMatch)
        try wallet.checkNotClosed()
        return Draft(change: change, postings: [], balances: [wallet.after(change: 0, held: 0)])
    }
}
