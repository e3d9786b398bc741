import LedgerEngine
import WalletCore

/// What of a call a user's token may reach. An API key reaches everything that its scope allows.
package enum UserAccess: Hashable, Sendable {
    /// Nothing: the call is the platform's alone.
    case forbidden
    /// The wallet in the path, if it is the user's.
    case ownWallet
    /// The hold in the path, if it is of a wallet of the user.
    case ownHold
    /// The transaction in the path, if it touches a wallet of the user.
    case ownTransaction
    /// What is listed of the user in the path, if that is the caller.
    case ownUser
    /// What the ledger finds by the caller itself: it decides commands by their actor, and scopes
    /// idempotency keys by it.
    case byActor
}

/// Keeps users to what is theirs. Whatever is not answers as if it did not exist.
struct Ownership: Sendable {
    let queries: Queries

    /// Checks what a request names in its path.
    func check(_ request: APIRequest, _ access: UserAccess) async throws {
        guard let user = request.caller?.actor.user else { return }
        let token = try request.consistencyToken()
        switch access {
        case .forbidden:
            throw Problem(.forbidden, "This is the platform's alone, not a user's.")
        case .ownWallet:
            let id: WalletID = try request.identifier(0)
            let reading = try await queries.wallets([id], of: user, after: token)
            if reading.value.isEmpty { throw Problem(missing: .walletNotFound, in: reading) }
        case .ownHold:
            let reading = try await queries.isHold(
                try request.identifier(0), of: user, after: token)
            if !reading.value { throw Problem(missing: .holdNotFound, in: reading) }
        case .ownTransaction:
            let reading = try await queries.isTransaction(
                try request.identifier(0), of: user, after: token)
            if !reading.value { throw Problem(missing: .transactionNotFound, in: reading) }
        case .ownUser:
            guard UserID(request.parameters[0]) == user else {
                throw Problem(.notFound, "There is nothing at this path.")
            }
        case .byActor:
            break
        }
    }

    /// What the caller may see of events, besides that they happened.
    func sight(
        of caller: Caller?, on events: [Event], after token: ConsistencyToken?
    ) async throws -> Sight {
        guard let user = caller?.actor.user else { return .everything }
        let wallets = Set(events.flatMap { $0.balances.map(\.wallet) })
        return Sight(
            own: try await queries.wallets(Array(wallets), of: user, after: token).value)
    }
}

/// What a caller may see of transactions that it may know of.
struct Sight: Sendable {
    /// The caller's wallets; `nil` for a platform, which sees everything.
    private let own: Set<WalletID>?

    static let everything = Sight(own: nil)

    init(own: Set<WalletID>?) {
        self.own = own
    }

    /// The transaction as the caller sees it: balances of its own wallets only, and nothing that
    /// belongs to the other side. A transaction's reference and metadata are of the wallet that is
    /// debited, and for a deposit of the credited one.
    func of(_ view: TransactionView) -> TransactionView {
        guard let own else { return view }
        var view = view
        if !(view.event.balances.first.map { own.contains($0.wallet) } ?? false) {
            view.event.change = view.event.change.withoutReference
            view.text.metadata = [:]
        }
        view.event.balances.removeAll { !own.contains($0.wallet) }
        return view
    }

    func of(_ item: HistoryItem) -> HistoryItem {
        var item = item
        item.transaction = of(item.transaction)
        return item
    }
}

extension Change {
    /// The same, without what a caller noted for itself.
    fileprivate var withoutReference: Change {
        switch self {
        case .deposited(let movement): .deposited(movement.withoutReference)
        case .withdrawn(let movement): .withdrawn(movement.withoutReference)
        case .transferred(let movement): .transferred(movement.withoutReference)
        case .holdCaptured(let movement, let hold, let wallet, let released):
            .holdCaptured(movement.withoutReference, hold: hold, wallet: wallet, released: released)
        case .reversed(let movement, let original, let total):
            .reversed(movement.withoutReference, reverses: original, reversedTotal: total)
        case .walletOpened, .holdPlaced, .holdReleased, .holdExpired, .walletFrozen,
            .walletUnfrozen, .walletClosed:
            self
        }
    }
}

extension Movement {
    fileprivate var withoutReference: Movement {
        var movement = self
        movement.reference = nil
        return movement
    }
}
