/// One fact of the ledger, complete: every other table can be rebuilt from events alone.
package struct Event: Hashable, Sendable {
    /// Its place in the log: 1, 2, 3 … without a gap.
    package var position: Int64
    /// The timeline that recorded it; see ``Head/epoch``.
    package var epoch: Int64
    /// When it was recorded; strictly increasing along the log.
    package var recordedAt: Instant
    package var cause: Cause
    package var change: Change
    /// What moved, the debited account first; sums to zero. Empty where no money moved.
    package var postings: [Posting]
    /// Every wallet that the event touched, as it was afterwards.
    package var balances: [BalanceAfter]
    /// The salted commitment of the free text that lies beside the log, if there is any.
    package var text: Digest?

    package init(
        position: Int64, epoch: Int64, recordedAt: Instant, cause: Cause, change: Change,
        postings: [Posting], balances: [BalanceAfter], text: Digest?
    ) {
        self.position = position
        self.epoch = epoch
        self.recordedAt = recordedAt
        self.cause = cause
        self.change = change
        self.postings = postings
        self.balances = balances
        self.text = text
    }
}

/// Who caused an event, by which command, under which idempotency key.
package struct Cause: Hashable, Sendable {
    package var actor: Actor
    package var command: CommandKind
    /// Absent where the ledger itself is the actor.
    package var idempotency: IdempotencyStamp?

    package init(actor: Actor, command: CommandKind, idempotency: IdempotencyStamp?) {
        self.actor = actor
        self.command = command
        self.idempotency = idempotency
    }
}

/// What an event keeps of its command's idempotency key, so that keys can be rebuilt.
package struct IdempotencyStamp: Hashable, Sendable {
    /// SHA-256 of the caller's scope and the key.
    package var key: Digest
    /// SHA-256 of the caller's scope, the key and the normalised command.
    ///
    /// The key is hashed in so that the fingerprint of a short text cannot be guessed from the
    /// log after the text has been erased.
    package var fingerprint: Digest
    /// The batch that the command came in, if it came in one.
    package var batch: BatchStamp?

    package init(key: Digest, fingerprint: Digest, batch: BatchStamp? = nil) {
        self.key = key
        self.fingerprint = fingerprint
        self.batch = batch
    }
}

/// The idempotency key of a batch, and which operation of it an event comes from.
package struct BatchStamp: Hashable, Sendable {
    package var key: Digest
    package var fingerprint: Digest
    /// The operation's index in the batch, from 0.
    package var index: Int64
    /// How many operations the batch has.
    package var size: Int64
    package var isAtomic: Bool

    package init(key: Digest, fingerprint: Digest, index: Int64, size: Int64, isAtomic: Bool) {
        self.key = key
        self.fingerprint = fingerprint
        self.index = index
        self.size = size
        self.isAtomic = isAtomic
    }
}

/// What an event did.
package enum Change: Hashable, Sendable {
    case walletOpened(wallet: WalletID, userID: String, currency: Currency)
    case deposited(Movement)
    case withdrawn(Movement)
    case transferred(Movement)
    case holdPlaced(
        hold: HoldID, wallet: WalletID, amount: Amount, currency: Currency, expiresAt: Instant?,
        reference: String?)
    /// The movement's amount was captured and `released` minor units went back to available.
    case holdCaptured(Movement, hold: HoldID, wallet: WalletID, released: Int64)
    case holdReleased(hold: HoldID, wallet: WalletID, amount: Amount, currency: Currency)
    case holdExpired(
        hold: HoldID, wallet: WalletID, amount: Amount, currency: Currency, expiresAt: Instant)
    /// `reversedTotal` is what has been reversed of the original, this movement included.
    case reversed(Movement, reverses: TransactionID, reversedTotal: Int64)
    case walletFrozen(wallet: WalletID)
    case walletUnfrozen(wallet: WalletID)
    case walletClosed(wallet: WalletID)

    package var type: EventType {
        switch self {
        case .walletOpened: .walletOpened
        case .deposited: .deposited
        case .withdrawn: .withdrawn
        case .transferred: .transferred
        case .holdPlaced: .holdPlaced
        case .holdCaptured: .holdCaptured
        case .holdReleased: .holdReleased
        case .holdExpired: .holdExpired
        case .reversed: .reversed
        case .walletFrozen: .walletFrozen
        case .walletUnfrozen: .walletUnfrozen
        case .walletClosed: .walletClosed
        }
    }
}

/// The types of event, by the names in their bytes; the numbers are those that tables store.
package enum EventType: Int64, CaseIterable, Sendable {
    case walletOpened = 1
    case deposited = 2
    case withdrawn = 3
    case transferred = 4
    case holdPlaced = 5
    case holdCaptured = 6
    case holdReleased = 7
    case holdExpired = 8
    case reversed = 9
    case walletFrozen = 10
    case walletUnfrozen = 11
    case walletClosed = 12

    /// The name in the event's bytes.
    package var name: String {
        switch self {
        case .walletOpened: "walletOpened"
        case .deposited: "deposited"
        case .withdrawn: "withdrawn"
        case .transferred: "transferred"
        case .holdPlaced: "holdPlaced"
        case .holdCaptured: "holdCaptured"
        case .holdReleased: "holdReleased"
        case .holdExpired: "holdExpired"
        case .reversed: "reversed"
        case .walletFrozen: "walletFrozen"
        case .walletUnfrozen: "walletUnfrozen"
        case .walletClosed: "walletClosed"
        }
    }

    package init?(name: String) {
        guard let type = EventType.allCases.first(where: { $0.name == name }) else { return nil }
        self = type
    }

    /// Whether events of this type move money and so are transactions.
    package var isTransaction: Bool {
        switch self {
        case .deposited, .withdrawn, .transferred, .holdCaptured, .reversed: true
        case .walletOpened, .holdPlaced, .holdReleased, .holdExpired, .walletFrozen,
            .walletUnfrozen, .walletClosed:
            false
        }
    }
}

/// The part that all transactions share.
package struct Movement: Hashable, Sendable {
    package var transaction: TransactionID
    package var amount: Amount
    package var currency: Currency
    /// The caller's business identifier.
    package var reference: String?

    package init(
        transaction: TransactionID, amount: Amount, currency: Currency, reference: String?
    ) {
        self.transaction = transaction
        self.amount = amount
        self.currency = currency
        self.reference = reference
    }
}

/// Where money can be: in a wallet, or outside the ledger.
package enum Account: Hashable, Sendable {
    case wallet(WalletID)
    case external(Currency)

    package var wallet: WalletID? {
        switch self {
        case .wallet(let id): id
        case .external: nil
        }
    }
}

/// A signed change of one account, in minor units.
package struct Posting: Hashable, Sendable {
    package var account: Account
    package var amount: Int64

    package init(account: Account, amount: Int64) {
        self.account = account
        self.amount = amount
    }
}

/// A wallet's numbers after an event, in minor units.
package struct BalanceAfter: Hashable, Sendable {
    package var wallet: WalletID
    package var version: Int64
    package var total: Int64
    package var held: Int64

    package init(wallet: WalletID, version: Int64, total: Int64, held: Int64) {
        self.wallet = wallet
        self.version = version
        self.total = total
        self.held = held
    }

    /// What can be spent.
    package var available: Int64 { total - held }
}

extension Event {
    /// Whether the postings sum to zero, none moves more than an ``Amount``, and no account is
    /// posted to twice.
    package var isBalanced: Bool {
        var sum: Int64 = 0
        for (index, posting) in postings.enumerated() {
            let (next, overflow) = sum.addingReportingOverflow(posting.amount)
            if overflow || posting.amount.magnitude > Amount.maximum.magnitude
                || postings[..<index].contains(where: { $0.account == posting.account })
            {
                return false
            }
            sum = next
        }
        return sum == 0
    }

    /// What the postings change in a wallet, in minor units; 0 where it has no posting.
    package func change(of wallet: WalletID) -> Int64 {
        postings.first { $0.account == .wallet(wallet) }?.amount ?? 0
    }
}
