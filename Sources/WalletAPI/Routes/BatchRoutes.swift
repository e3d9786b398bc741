import HTTPTypes
import LedgerEngine
import WalletCore

/// The call that settles many operations in one transaction.
struct BatchRoutes: Sendable {
    let sequencer: Sequencer
    let renderer: OutcomeRenderer
    /// 16 random bytes.
    let salt: @Sendable () -> [UInt8]

    var routes: [Route] { [Route(.post, "/v1/batches", scope: .write, users: .byActor, settle)] }

    @Sendable private func settle(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow()
        guard request.headers[.ifMatch] == nil else {
            throw Problem.malformed("If-Match is about one wallet; a batch does not take it.")
        }
        let caller = try request.knownCaller()
        let key = try request.idempotencyKey()
        var body = try ObjectReader(request.body)
        let isAtomic = try body.requiredBoolean("atomic")
        let operations = try BatchOperation.read(try body.objects("operations"), underKey: key)
        try body.finish()
        let batch = BatchSubmission(
            operations.map { operation in
                Submission(
                    operation.request, command: operation.kind, by: caller.actor,
                    idempotencyKey: operation.key, requestID: request.requestID, salt: salt)
            }, isAtomic: isAtomic, by: caller.actor, idempotencyKey: key,
            requestID: request.requestID)
        let answer: BatchAnswer
        do {
            answer = try await sequencer.submit(batch)
        } catch {
            throw Problem(error)
        }
        return try await render(answer, for: caller, requestID: request.requestID)
    }

    private func render(
        _ answer: BatchAnswer, for caller: Caller, requestID: String
    ) async throws -> APIResponse {
        switch answer.outcome {
        case .refused(let refused):
            return APIResponse(Problem(refused), requestID: requestID)
                .reflecting(answer.token)
        case .settled(let outcomes, let isReplay):
            return try await renderer.answer(
                toBatch: outcomes, for: caller, after: answer.token, requestID: requestID,
                isReplay: isReplay)
        }
    }
}

/// One operation of a batch: the body of its single call, with its type and a key of its own.
struct BatchOperation {
    var kind: CommandKind
    var key: String
    var request: ParsedRequest

    /// Reads operations, each of which must have a key that no other and not the batch has.
    static func read(
        _ bodies: [ObjectReader], underKey key: String
    ) throws(Problem) -> [BatchOperation] {
        var keys: Set<String> = [key]
        var operations: [BatchOperation] = []
        operations.reserveCapacity(bodies.count)
        for (index, body) in bodies.enumerated() {
            let operation: BatchOperation
            do {
                operation = try BatchOperation(body)
            } catch {
                throw .malformed("In operation \(index), counted from 0: \(error.detail)")
            }
            guard keys.insert(operation.key).inserted else {
                throw .malformed(
                    "The `idempotencyKey` of operation \(index), counted from 0, stands twice.")
            }
            operations.append(operation)
        }
        return operations
    }

    private init(_ members: ObjectReader) throws(Problem) {
        var body = members
        let type = try body.requiredString("type")
        key = try body.requiredString("idempotencyKey")
        guard key.isIdempotencyKey else {
            throw .malformed("`idempotencyKey` must be 1 to 255 visible ASCII characters.")
        }
        (kind, request) = try body.operation(type)
        try body.finish()
    }
}

extension ObjectReader {
    /// The command of an operation of this type.
    fileprivate mutating func operation(
        _ type: String
    ) throws(Problem) -> (CommandKind, ParsedRequest) {
        switch type {
        case "deposit":
            (.deposit, try deposit(to: try identifier("walletId"), ifMatch: nil))
        case "withdrawal":
            (.withdrawal, try withdrawal(from: try identifier("walletId"), ifMatch: nil))
        case "transfer":
            (.transfer, try transfer(ifMatch: nil))
        case "hold":
            (.hold, try hold(on: try identifier("walletId"), ifMatch: nil))
        case "capture":
            (.capture, try capture(of: try identifier("holdId"), ifMatch: nil))
        case "release":
            (.release, .success(Instruction(.releaseHold(hold: try identifier("holdId")))))
        case "reversal":
            (.reversal, try reversal(of: try identifier("transactionId"), ifMatch: nil))
        default:
            throw .malformed(
                "`type` must be deposit, withdrawal, transfer, hold, capture, release or reversal."
            )
        }
    }
}

extension OutcomeRenderer {
    /// The outcomes of a batch as one answer, in the order of its operations; those that are not
    /// known are null.
    func answer(
        toBatch outcomes: [Outcome?], for caller: Caller, after token: ConsistencyToken,
        requestID: String, isReplay: Bool
    ) async throws -> APIResponse {
        var rendered = try await render(
            outcomes.compactMap(\.self), for: caller, after: token)[...]
        var response = APIResponse(200) { json in
            json.beginObject()
            json.key("results")
            json.beginArray()
            for outcome in outcomes {
                if outcome != nil, let result = rendered.popFirst() {
                    json.result(result, requestID: requestID)
                } else {
                    json.null()
                }
            }
            json.endArray()
            json.endObject()
        }
        if isReplay { response.headers[.idempotencyReplayed] = "true" }
        return response.reflecting(token)
    }
}
