/// One user's money in one currency.
package struct Wallet: Hashable, Sendable {
    package var id: WalletID
    package var userID: String
    package var currency: Currency
    package var status: WalletStatus
    /// Minor units, 0 … 2^53 − 1.
    package var total: Int64
    /// What open holds reserve, in minor units, 0 … `total`.
    package var held: Int64
    /// Raised by 1 by every event that touches the wallet.
    package var version: Int64
    package var createdAt: Instant
    package var updatedAt: Instant
    /// The position of the event that opened it.
    package var openedPosition: Int64

    package init(
        id: WalletID, userID: String, currency: Currency, status: WalletStatus, total: Int64,
        held: Int64, version: Int64, createdAt: Instant, updatedAt: Instant, openedPosition: Int64
    ) {
        self.id = id
        self.userID = userID
        self.currency = currency
        self.status = status
        self.total = total
        self.held = held
        self.version = version
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.openedPosition = openedPosition
    }

    /// What can be spent, in minor units.
    package var available: Int64 { total - held }
}

/// Whether a wallet takes part; the numbers are those that tables store.
package enum WalletStatus: Int64, CaseIterable, Sendable {
    case active = 1
    case frozen = 2
    case closed = 3

    /// The name that the API shows.
    package var name: String {
        switch self {
        case .active: "active"
        case .frozen: "frozen"
        case .closed: "closed"
        }
    }
}

/// Money that is reserved in a wallet until it is captured, released or expires.
package struct Hold: Hashable, Sendable {
    package var id: HoldID
    package var wallet: WalletID
    /// Minor units.
    package var amount: Amount
    package var currency: Currency
    package var status: HoldStatus
    /// What was captured of it, in minor units.
    package var capturedAmount: Int64
    /// The instant from which it is expired, whether or not that has been recorded.
    package var expiresAt: Instant?
    package var createdAt: Instant
    /// The position of the event that placed it.
    package var placedPosition: Int64
    /// When it was captured, released or recorded as expired.
    package var closedAt: Instant?

    package init(
        id: HoldID, wallet: WalletID, amount: Amount, currency: Currency, status: HoldStatus,
        capturedAmount: Int64, expiresAt: Instant?, createdAt: Instant, placedPosition: Int64,
        closedAt: Instant?
    ) {
        self.id = id
        self.wallet = wallet
        self.amount = amount
        self.currency = currency
        self.status = status
        self.capturedAmount = capturedAmount
        self.expiresAt = expiresAt
        self.createdAt = createdAt
        self.placedPosition = placedPosition
        self.closedAt = closedAt
    }

    /// Whether it is open in the record although its time has come.
    package func isDue(at instant: Instant) -> Bool {
        guard status == .open, let expiresAt else { return false }
        return expiresAt <= instant
    }
}

/// What became of a hold; the numbers are those that tables store.
package enum HoldStatus: Int64, CaseIterable, Sendable {
    case open = 1
    case captured = 2
    case released = 3
    case expired = 4

    /// The name that the API shows.
    package var name: String {
        switch self {
        case .open: "open"
        case .captured: "captured"
        case .released: "released"
        case .expired: "expired"
        }
    }
}

/// What a reversal must know of the transaction that it reverses.
package struct ReversibleTransaction: Hashable, Sendable {
    package var id: TransactionID
    package var type: EventType
    package var debited: Account
    package var credited: Account
    package var amount: Amount
    package var currency: Currency
    /// What has been reversed of it already, in minor units.
    package var reversedAmount: Int64

    /// `nil` where the event is no transaction.
    package init?(_ event: Event, reversedAmount: Int64) {
        guard let movement = event.movement, event.postings.count == 2 else { return nil }
        id = movement.transaction
        type = event.change.type
        debited = event.postings[0].account
        credited = event.postings[1].account
        amount = movement.amount
        currency = movement.currency
        self.reversedAmount = reversedAmount
    }
}

/// What makes a business reference unique: the caller, and the wallet it was used for.
package struct ReferenceKey: Hashable, Sendable {
    package var wallet: WalletID
    /// ``Actor/scope`` of the caller.
    package var scope: [UInt8]
    /// The reference's UTF-8, since `==` on strings would take `é` written in two ways for one.
    package var reference: [UInt8]

    package init(wallet: WalletID, scope: [UInt8], reference: String) {
        self.wallet = wallet
        self.scope = scope
        self.reference = Array(reference.utf8)
    }
}

/// Who used a reference first.
package struct ReferenceUse: Hashable, Sendable {
    /// The transaction, or the hold, whose identifiers come from the same sequence.
    package var id: TransactionID
    package var position: Int64

    package init(id: TransactionID, position: Int64) {
        self.id = id
        self.position = position
    }
}

/// The part of the ledger that the commands at hand involve.
///
/// What is absent does not exist: whoever fills it must have looked for everything that
/// ``Command/needs`` names, and for the holds that first used the references.
package struct LedgerState: Sendable {
    package var wallets: [WalletID: Wallet] = [:]
    package var holds: [HoldID: Hold] = [:]
    package var transactions: [TransactionID: ReversibleTransaction] = [:]
    package var references: [ReferenceKey: ReferenceUse] = [:]
    /// How many wallets the users have who want to open one, counted up to ``WalletOwner/limit``.
    package var walletCounts: [WalletOwner: Int] = [:]
    /// The running sum of the postings to each currency's external account, in minor units.
    package var external: [Currency: Int64] = [:]

    package init() {}
}

extension Event {
    /// The part that transactions share; `nil` for an event that moves no money.
    package var movement: Movement? {
        switch change {
        case .deposited(let movement), .withdrawn(let movement), .transferred(let movement),
            .holdCaptured(let movement, _, _, _), .reversed(let movement, _, _):
            movement
        case .walletOpened, .holdPlaced, .holdReleased, .holdExpired, .walletFrozen,
            .walletUnfrozen, .walletClosed:
            nil
        }
    }
}
