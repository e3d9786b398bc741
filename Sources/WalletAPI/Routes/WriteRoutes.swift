import HTTPTypes
import LedgerEngine
import WalletCore

/// The calls that move money and open wallets.
struct WriteRoutes: Sendable {
    let sequencer: Sequencer
    /// 16 random bytes.
    let salt: @Sendable () -> [UInt8]

    var routes: [Route] {
        [
            Route(.post, "/v1/wallets", scope: .write, openWallet),
            Route(.post, "/v1/wallets/{id}/deposits", scope: .write) { request in
                let wallet: WalletID = try request.identifier(0)
                return try await move(request, .deposit) { amount, currency, reference in
                    .deposit(
                        wallet: wallet, amount: amount, currency: currency, reference: reference)
                }
            },
            Route(.post, "/v1/wallets/{id}/withdrawals", scope: .write) { request in
                let wallet: WalletID = try request.identifier(0)
                return try await move(request, .withdrawal) { amount, currency, reference in
                    .withdraw(
                        wallet: wallet, amount: amount, currency: currency, reference: reference)
                }
            },
            Route(.post, "/v1/transfers", scope: .write, transfer),
        ]
    }

    @Sendable private func openWallet(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow()
        var body = try ObjectReader(request.body)
        let userID = try body.requiredString("userId")
        let code = try body.requiredString("currency")
        let text = FreeText(metadata: try body.stringPairs("metadata") ?? [:])
        try body.finish()
        let parsed: ParsedRequest
        if !userID.isIdentifier(TextLimits.userID) {
            parsed = .failure(
                .invalid("userId", allowed: "1 to 128 characters, none of them a control"))
        } else if let refusal = text.refusal {
            parsed = .failure(refusal)
        } else if let currency = Currency(code) {
            parsed = .success(
                Instruction(.openWallet(userID: userID, currency: currency), text: text))
        } else {
            parsed = .failure(.unknownCurrency(code))
        }
        return try await submit(parsed, .openWallet, request)
    }

    @Sendable private func transfer(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow()
        var body = try ObjectReader(request.body)
        let from: WalletID = try body.identifier("from")
        let to: WalletID = try body.identifier("to")
        let options = try MovementOptions(&body)
        try body.finish()
        let parsed = options.instruction(ifMatch: try request.ifMatch()) {
            amount, currency, reference in
            .transfer(from: from, to: to, amount: amount, currency: currency, reference: reference)
        }
        return try await submit(parsed, .transfer, request)
    }

    private func move(
        _ request: APIRequest, _ kind: CommandKind,
        _ command: (Amount, Currency?, String?) -> Command
    ) async throws -> APIResponse {
        try request.query.allow()
        var body = try ObjectReader(request.body)
        let options = try MovementOptions(&body)
        try body.finish()
        let parsed = options.instruction(ifMatch: try request.ifMatch(), command)
        return try await submit(parsed, kind, request)
    }

    private func submit(
        _ parsed: ParsedRequest, _ kind: CommandKind, _ request: APIRequest
    ) async throws -> APIResponse {
        guard let caller = request.caller else {
            throw Problem(.unauthenticated, "A bearer token is needed.")
        }
        let submission = Submission(
            parsed, command: kind, by: caller.actor,
            idempotencyKey: try request.idempotencyKey(), requestID: request.requestID, salt: salt)
        let answer: Answer
        do {
            answer = try await sequencer.submit(submission)
        } catch {
            throw Problem(error)
        }
        switch answer.outcome {
        case .recorded(let outcome):
            return APIResponse(outcome).reflecting(answer.token)
        case .refused(let outcome):
            return APIResponse(Problem(outcome), requestID: request.requestID)
                .reflecting(answer.token)
        }
    }
}

extension APIResponse {
    /// What a write made. A replay is rendered from the same event, and so is the same.
    init(_ outcome: RecordedOutcome) {
        let event = outcome.event
        let location: String
        if case .walletOpened(let id, let userID, let currency) = event.change {
            let wallet = Wallet(
                id: id, userID: userID, currency: currency, status: .active, total: 0, held: 0,
                version: 1, createdAt: event.recordedAt, updatedAt: event.recordedAt,
                openedPosition: event.position)
            self.init(201) { $0.wallet(WalletView(wallet: wallet, text: outcome.text)) }
            location = "/v1/wallets/\(id)"
        } else {
            self.init(201) {
                $0.transaction(
                    TransactionView(event: event, text: outcome.text, reversedAmount: 0))
            }
            location = event.movement.map { "/v1/transactions/\($0.transaction)" } ?? ""
        }
        headers[.location] = location
        headers[.eTag] = event.balances.first.map { "\"v\($0.version)\"" }
        if outcome.isReplay { headers[.idempotencyReplayed] = "true" }
    }

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
