import WalletCore
import WalletTesting

/// A ledger that decides and applies one command after another, at the times that it is told.
struct SmallLedger {
    var state = LedgerState()
    /// The position of the last event.
    private(set) var position: Int64 = 0
    /// The time of the last event.
    private(set) var lastTime = ManualClock.start

    /// Decides without applying, on all that there is or on what somebody loaded of it.
    func decide(
        _ command: Command, by actor: Actor = Fixture.shop, ifMatch: Int64? = nil,
        at now: Instant? = nil, in loaded: LedgerState? = nil
    ) -> Decision {
        let earliest = lastTime.advanced(byMicroseconds: 1)
        return (loaded ?? state).decide(
            Instruction(command, ifMatch: ifMatch),
            cause: Cause(actor: actor, command: command.kind, idempotency: nil), text: nil,
            at: Moment(
                position: position + 1, epoch: 1, time: max(now ?? earliest, earliest),
                entropy: UInt64(position)))
    }

    /// Decides, and applies what was decided.
    @discardableResult
    mutating func run(
        _ command: Command, by actor: Actor = Fixture.shop, ifMatch: Int64? = nil,
        at now: Instant? = nil
    ) -> Decision {
        let decision = decide(command, by: actor, ifMatch: ifMatch, at: now)
        for event in decision.events { apply(event) }
        return decision
    }

    mutating func apply(_ event: Event) {
        state.evolve(event)
        if let transaction = ReversibleTransaction(event, reversedAmount: 0) {
            state.transactions[transaction.id] = transaction
        }
        position = event.position
        lastTime = event.recordedAt
    }
}

extension SmallLedger {
    /// Puts a wallet there as if it had always been.
    mutating func add(
        _ id: WalletID, _ currency: String = "USD", total: Int64 = 0, held: Int64 = 0,
        version: Int64 = 7, _ status: WalletStatus = .active
    ) {
        state.wallets[id] = Wallet(
            id: id, userID: "u-17", currency: Fixture.currency(currency), status: status,
            total: total, held: held, version: version, createdAt: ManualClock.start,
            updatedAt: ManualClock.start, openedPosition: 1)
        state.external[Fixture.currency(currency), default: 0] -= total
    }

    /// Puts a hold there; what it holds must be in its wallet's numbers already.
    mutating func add(
        _ id: HoldID, of wallet: WalletID, _ amount: Int64, _ status: HoldStatus = .open,
        expiresAt: Instant? = nil
    ) {
        state.holds[id] = Hold(
            id: id, wallet: wallet, amount: Fixture.amount(amount),
            currency: state.wallets[wallet]?.currency ?? Fixture.currency("USD"), status: status,
            capturedAmount: 0, expiresAt: expiresAt, createdAt: ManualClock.start,
            placedPosition: 1, closedAt: status == .open ? nil : ManualClock.start)
    }

    /// Puts a transaction there as if the money had moved.
    mutating func add(
        _ id: TransactionID, _ type: EventType, from: Account, to: Account, _ amount: Int64,
        reversed: Int64 = 0
    ) {
        let event = Sample.event(
            .deposited(
                Movement(
                    transaction: id, amount: Fixture.amount(amount),
                    currency: Fixture.currency("USD"), reference: nil)),
            .deposit, postings: [(from, -amount), (to, amount)])
        var transaction = ReversibleTransaction(event, reversedAmount: reversed)
        transaction?.type = type
        state.transactions[id] = transaction
    }
}

extension Decision {
    /// All events, in the order of the log.
    var events: [Event] {
        switch outcome {
        case .success(let event): expiries + [event]
        case .failure: expiries
        }
    }

    var event: Event? {
        switch outcome {
        case .success(let event): event
        case .failure: nil
        }
    }

    var refusal: Refusal? {
        switch outcome {
        case .success: nil
        case .failure(let refusal): refusal
        }
    }
}

extension Command {
    static func deposit(
        _ wallet: WalletID, _ amount: Int64, _ currency: String? = nil, reference: String? = nil
    ) -> Command {
        .deposit(
            wallet: wallet, amount: Fixture.amount(amount),
            currency: currency.map(Fixture.currency), reference: reference)
    }

    static func withdraw(
        _ wallet: WalletID, _ amount: Int64, _ currency: String? = nil, reference: String? = nil
    ) -> Command {
        .withdraw(
            wallet: wallet, amount: Fixture.amount(amount),
            currency: currency.map(Fixture.currency), reference: reference)
    }

    static func transfer(
        _ from: WalletID, _ to: WalletID, _ amount: Int64, _ currency: String? = nil,
        reference: String? = nil
    ) -> Command {
        .transfer(
            from: from, to: to, amount: Fixture.amount(amount),
            currency: currency.map(Fixture.currency), reference: reference)
    }

    static func hold(
        _ wallet: WalletID, _ amount: Int64, _ currency: String? = nil, until: Instant? = nil,
        reference: String? = nil
    ) -> Command {
        .placeHold(
            wallet: wallet, amount: Fixture.amount(amount),
            currency: currency.map(Fixture.currency), expiresAt: until, reference: reference)
    }

    static func capture(_ hold: HoldID, _ amount: Int64? = nil, to: WalletID? = nil) -> Command {
        .captureHold(hold: hold, amount: amount.map(Fixture.amount), to: to)
    }

    static func reverse(_ transaction: TransactionID, _ amount: Int64? = nil) -> Command {
        .reverse(transaction: transaction, amount: amount.map(Fixture.amount))
    }
}
