import HTTPTypes
import LedgerEngine
import WalletCore

/// The call that balances the books.
struct LedgerRoutes: Sendable {
    /// How many wait for a trial balance at most; more are answered 503.
    private static let line = 16

    let queries: Queries
    /// One at a time: each reads every wallet, and keeps a database connection busy meanwhile.
    private let turnstile = Turnstile(places: 1, line: LedgerRoutes.line)

    init(queries: Queries) {
        self.queries = queries
    }

    var routes: [Route] {
        [Route(.get, "/v1/ledger", scope: .admin, trialBalance)]
    }

    @Sendable private func trialBalance(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow()
        let token = try request.consistencyToken()
        let passed = try await turnstile.pass { try await queries.trialBalance(after: token) }
        guard let reading = passed else {
            throw Problem(.overloaded, "Too many trial balances are being drawn up. Try again.")
        }
        return APIResponse(200) { $0.trialBalance(reading.value, at: reading.head) }
            .reflecting(reading.token)
    }
}

extension CanonicalJSON {
    fileprivate mutating func trialBalance(_ lines: [TrialBalanceLine], at head: Head) {
        beginObject()
        member("ledgerId", head.ledger)
        member("position", head.position)
        member("hash", head.hash)
        member("recordedAt", head.recordedAt)
        key("currencies")
        beginArray()
        for line in lines {
            beginObject()
            member("currency", line.wallets.currency)
            member("external", line.external)
            key("wallets")
            beginObject()
            member("count", line.wallets.wallets)
            member("total", line.wallets.total)
            member("held", line.wallets.held)
            endObject()
            member("sum", line.sum)
            endObject()
        }
        endArray()
        endObject()
    }
}
