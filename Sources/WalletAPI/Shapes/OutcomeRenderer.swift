import HTTPTypes
import LedgerEngine
import WalletCore

/// Turns what became of submissions into answers, for single calls, batches and keys alike.
///
/// Everything is rendered from the event, so that a replay is the same as the first answer. What an
/// event does not repeat of the wallet or hold that it changes never changes either, and is read
/// from the event that made it.
struct OutcomeRenderer: Sendable {
    let queries: Queries
    let ownership: Ownership

    /// The outcomes in their order, by one read of the ledger at most.
    ///
    /// - Parameters:
    ///   - caller: who is answered, which decides what is shown.
    ///   - token: the place in the log that the outcomes are from.
    func render(
        _ outcomes: [Outcome], for caller: Caller, after token: ConsistencyToken
    ) async throws -> [RenderedOutcome] {
        let positions = Set(outcomes.compactMap(\.origin))
        var origins: [Int64: EventView] = [:]
        if !positions.isEmpty {
            origins = try await queries.events(at: Array(positions), after: token).value
        }
        let sight = try await ownership.sight(
            of: caller, on: outcomes.compactMap(\.event), after: token)
        return try outcomes.map { outcome in
            switch outcome {
            case .refused(let refused):
                RenderedOutcome(Problem(refused))
            case .recorded(let recorded):
                try RenderedOutcome(
                    recorded, origin: outcome.origin.flatMap { origins[$0] }, seen: sight)
            }
        }
    }

    /// One outcome as the answer to a call of its own.
    func answer(
        _ outcome: Outcome, for caller: Caller, after token: ConsistencyToken, requestID: String
    ) async throws -> APIResponse {
        let rendered = try await render([outcome], for: caller, after: token)
        guard let outcome = rendered.first else { preconditionFailure("one outcome, one answer") }
        return APIResponse(outcome, requestID: requestID).reflecting(token)
    }
}

/// One outcome as callers see it.
struct RenderedOutcome: Sendable {
    /// What the outcome shows; the name of the case is its name in the results of a batch.
    enum Content: Sendable {
        case wallet(WalletView)
        case hold(HoldView)
        case transaction(TransactionView)
        case problem(Problem)
    }

    let status: Int
    let content: Content
    /// Where to find what was made.
    let location: String?
    /// The version of the wallet that was debited, or changed.
    let version: Int64?
    let isReplay: Bool

    init(_ problem: Problem) {
        status = problem.code.status
        content = .problem(problem)
        location = nil
        version = nil
        isReplay = problem.isReplay
    }

    /// - Parameter origin: the event that made the wallet or hold which this one changed.
    fileprivate init(_ outcome: RecordedOutcome, origin: EventView?, seen sight: Sight) throws {
        let event = outcome.event
        let creation = origin ?? EventView(event: event, text: outcome.text)
        version = event.balances.first?.version
        isReplay = outcome.isReplay
        switch event.change {
        case .deposited(let movement), .withdrawn(let movement), .transferred(let movement),
            .holdCaptured(let movement, _, _, _), .reversed(let movement, _, _):
            status = 201
            content = .transaction(
                sight.of(TransactionView(event: event, text: outcome.text, reversedAmount: 0)))
            location = "/v1/transactions/\(movement.transaction)"
        case .walletOpened(let id, _, _):
            status = 201
            content = .wallet(try WalletView(id, opened: creation, changed: event))
            location = "/v1/wallets/\(id)"
        case .walletFrozen(let id), .walletUnfrozen(let id), .walletClosed(let id):
            status = 200
            content = .wallet(try WalletView(id, opened: creation, changed: event))
            location = nil
        case .holdPlaced(let id, _, _, _, _, _):
            status = 201
            content = .hold(try HoldView(id, placed: creation, changed: event))
            location = "/v1/holds/\(id)"
        case .holdReleased(let id, _, _, _), .holdExpired(let id, _, _, _, _):
            status = 200
            content = .hold(try HoldView(id, placed: creation, changed: event))
            location = nil
        }
    }
}

extension APIResponse {
    /// The answer to a single call.
    init(_ outcome: RenderedOutcome, requestID: String) {
        if case .problem(let problem) = outcome.content {
            self.init(problem, requestID: requestID)
            return
        }
        self.init(outcome.status) { $0.content(of: outcome, requestID: requestID) }
        headers[.location] = outcome.location
        headers[.eTag] = outcome.version.map { "\"v\($0)\"" }
        if outcome.isReplay { headers[.idempotencyReplayed] = "true" }
    }
}

extension CanonicalJSON {
    /// What an outcome shows: the wallet, hold, transaction or problem itself.
    mutating func content(of outcome: RenderedOutcome, requestID: String) {
        switch outcome.content {
        case .wallet(let view): wallet(view)
        case .hold(let view): hold(view)
        case .transaction(let view): transaction(view)
        case .problem(let problem): raw(problem.body(requestID: requestID))
        }
    }

    /// An outcome as one of the results of a batch: `{"status": 201, "transaction": {…}}`.
    mutating func result(_ outcome: RenderedOutcome, requestID: String) {
        beginObject()
        member("status", Int64(outcome.status))
        switch outcome.content {
        case .wallet: key("wallet")
        case .hold: key("hold")
        case .transaction: key("transaction")
        case .problem: key("problem")
        }
        content(of: outcome, requestID: requestID)
        endObject()
    }
}

extension Outcome {
    fileprivate var event: Event? {
        switch self {
        case .recorded(let outcome): outcome.event
        case .refused: nil
        }
    }

    /// The position of the event that made the wallet or hold which this one changed; `nil` where
    /// the outcome says everything itself.
    fileprivate var origin: Int64? {
        guard case .recorded(let outcome) = self else { return nil }
        switch outcome.event.change {
        case .walletFrozen(let id), .walletUnfrozen(let id), .walletClosed(let id):
            return id.embeddedPosition
        case .holdReleased(let id, _, _, _), .holdExpired(let id, _, _, _, _):
            return id.embeddedPosition
        case .walletOpened, .holdPlaced, .deposited, .withdrawn, .transferred, .holdCaptured,
            .reversed:
            return nil
        }
    }
}

extension WalletView {
    /// A wallet right after an event, from what both events say.
    fileprivate init(_ id: WalletID, opened: EventView, changed event: Event) throws {
        var state = LedgerState()
        state.evolve(opened.event)
        state.evolve(event)
        guard let wallet = state.wallets[id] else { throw StoreError.noOrigin }
        self.init(wallet: wallet, text: opened.text)
    }
}

extension HoldView {
    /// A hold right after an event, from what both events say.
    fileprivate init(_ id: HoldID, placed: EventView, changed event: Event) throws {
        var state = LedgerState()
        state.evolve(placed.event)
        state.evolve(event)
        guard let hold = state.holds[id],
            case .holdPlaced(_, _, _, _, _, let reference) = placed.event.change
        else { throw StoreError.noOrigin }
        self.init(hold: hold, reference: reference, text: placed.text)
    }
}

extension StoreError {
    fileprivate static let noOrigin = StoreError.corrupted(
        reason: "the event that made a wallet or hold is not where its identifier says")
}
