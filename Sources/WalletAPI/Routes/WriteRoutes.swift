import HTTPTypes
import LedgerEngine
import WalletCore

/// The calls that change something: each is read into one command, submitted, and answered.
struct WriteRoutes: Sendable {
    let sequencer: Sequencer
    let renderer: OutcomeRenderer
    /// 16 random bytes.
    let salt: @Sendable () -> [UInt8]

    /// Takes the members of a body, given the version in `If-Match`.
    private typealias Parser = (inout ObjectReader, Int64?) throws -> ParsedRequest

    var routes: [Route] { walletRoutes + holdRoutes + statusRoutes }

    private var walletRoutes: [Route] {
        [
            Route(.post, "/v1/wallets", scope: .write, users: .byActor) { request in
                try await submit(.openWallet, request) { body, _ in try body.openWallet() }
            },
            Route(.post, "/v1/wallets/{id}/deposits", scope: .write) { request in
                let wallet: WalletID = try request.identifier(0)
                return try await submit(.deposit, request) { body, ifMatch in
                    try body.deposit(to: wallet, ifMatch: ifMatch)
                }
            },
            Route(.post, "/v1/wallets/{id}/withdrawals", scope: .write) { request in
                let wallet: WalletID = try request.identifier(0)
                return try await submit(.withdrawal, request) { body, ifMatch in
                    try body.withdrawal(from: wallet, ifMatch: ifMatch)
                }
            },
            Route(.post, "/v1/transfers", scope: .write, users: .byActor) { request in
                try await submit(.transfer, request) { body, ifMatch in
                    try body.transfer(ifMatch: ifMatch)
                }
            },
            Route(.post, "/v1/transactions/{id}/reversals", scope: .write) { request in
                let transaction: TransactionID = try request.identifier(0)
                return try await submit(.reversal, request) { body, ifMatch in
                    try body.reversal(of: transaction, ifMatch: ifMatch)
                }
            },
        ]
    }

    private var holdRoutes: [Route] {
        [
            Route(.post, "/v1/wallets/{id}/holds", scope: .write) { request in
                let wallet: WalletID = try request.identifier(0)
                return try await submit(.hold, request) { body, ifMatch in
                    try body.hold(on: wallet, ifMatch: ifMatch)
                }
            },
            Route(.post, "/v1/holds/{id}/capture", scope: .write) { request in
                let hold: HoldID = try request.identifier(0)
                return try await submit(.capture, request) { body, ifMatch in
                    try body.capture(of: hold, ifMatch: ifMatch)
                }
            },
            Route(.post, "/v1/holds/{id}/release", scope: .write) { request in
                let hold: HoldID = try request.identifier(0)
                return try await submit(.release, request, bodyIsOptional: true) { _, ifMatch in
                    .success(Instruction(.releaseHold(hold: hold), ifMatch: ifMatch))
                }
            },
        ]
    }

    private var statusRoutes: [Route] {
        let changes: [(String, CommandKind, @Sendable (WalletID) -> Command)] = [
            ("freeze", .freeze, { .freezeWallet($0) }),
            ("unfreeze", .unfreeze, { .unfreezeWallet($0) }),
            ("close", .close, { .closeWallet($0) }),
        ]
        return changes.map { name, kind, command in
            Route(.post, "/v1/wallets/{id}/\(name)", scope: .write) { request in
                let wallet: WalletID = try request.identifier(0)
                return try await submit(kind, request, bodyIsOptional: true) { body, ifMatch in
                    try body.statusChange(command(wallet), ifMatch: ifMatch)
                }
            }
        }
    }

    /// - Parameter bodyIsOptional: whether no body at all stands for `{}`; not so where leaving
    ///   out the amount moves all there is.
    private func submit(
        _ kind: CommandKind, _ request: APIRequest, bodyIsOptional: Bool = false, _ parse: Parser
    ) async throws -> APIResponse {
        try request.query.allow()
        var body =
            bodyIsOptional && request.body.isEmpty
            ? ObjectReader() : try ObjectReader(request.body)
        let parsed = try parse(&body, try request.ifMatch())
        try body.finish()
        let caller = try request.knownCaller()
        let submission = Submission(
            parsed, command: kind, by: caller.actor,
            idempotencyKey: try request.idempotencyKey(), requestID: request.requestID, salt: salt)
        let answer: Answer
        do {
            answer = try await sequencer.submit(submission)
        } catch {
            throw Problem(error)
        }
        return try await renderer.answer(
            answer.outcome, for: caller, after: answer.token, requestID: request.requestID)
    }
}

extension APIResponse {
    /// An error answer.
    init(_ problem: Problem, requestID: String) {
        self.init(problem.code.status) { $0.raw(problem.body(requestID: requestID)) }
        headers[.contentType] = "application/problem+json"
        if let token = problem.token {
            headers[.consistencyToken] = Base64URL.encode(token.bytes)
        }
        if problem.isReplay { headers[.idempotencyReplayed] = "true" }
        switch problem.code {
        case .overloaded, .writesUnavailable, .readsUnavailable: headers[.retryAfter] = "1"
        case .unauthenticated: headers[.wwwAuthenticate] = "Bearer"
        case .methodNotAllowed: headers[.allow] = problem.allow.joined(separator: ", ")
        default: break
        }
    }
}
