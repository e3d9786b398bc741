import HTTPTypes
import LedgerEngine
import WalletCore

/// The call that tells what became of an idempotency key, for whoever lost an answer and cannot
/// send the request again.
struct KeyRoutes: Sendable {
    let queries: Queries
    let renderer: OutcomeRenderer

    var routes: [Route] {
        [Route(.get, "/v1/idempotency-keys/{key}", scope: .read, users: .byActor, outcome)]
    }

    /// The first answer again, and of a batch what its events tell; of the caller's own keys only,
    /// since the caller is part of a key.
    @Sendable private func outcome(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow()
        let key = request.parameters[0]
        guard key.isIdempotencyKey else {
            throw Problem.malformed("A key in the path must be 1 to 255 visible ASCII characters.")
        }
        let caller = try request.knownCaller()
        let reading = try await queries.outcome(
            of: .idempotencyKey(key, of: caller.actor), after: try request.consistencyToken())
        guard let outcome = reading.value else {
            var problem = Problem(.notFound, "Nothing is known of this Idempotency-Key.")
            problem.token = reading.token
            throw problem
        }
        switch outcome {
        case .request(let outcome):
            return try await renderer.answer(
                outcome, for: caller, after: reading.token, requestID: request.requestID)
        case .batch(let outcomes):
            return try await renderer.answer(
                toBatch: outcomes, for: caller, after: reading.token,
                requestID: request.requestID, isReplay: true)
        }
    }
}
