import HTTPTypes
import LedgerEngine
import WalletCore

/// The calls that look at holds.
struct HoldRoutes: Sendable {
    let queries: Queries

    var routes: [Route] {
        [
            Route(.get, "/v1/holds/{id}", scope: .read, users: .ownHold, hold),
            Route(
                .get, "/v1/wallets/{id}/holds", scope: .read, users: .ownWallet, holdsOfWallet),
        ]
    }

    @Sendable private func hold(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow()
        let reading = try await queries.hold(
            try request.identifier(0), after: try request.consistencyToken())
        guard let view = reading.value else { throw Problem(missing: .holdNotFound, in: reading) }
        return APIResponse(200) { $0.hold(view) }.reflecting(reading.token)
    }

    @Sendable private func holdsOfWallet(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow("status", "limit", "cursor")
        let wallet: WalletID = try request.identifier(0)
        var status: HoldStatus?
        if let name = request.query["status"] {
            status = HoldStatus.allCases.first { $0.name == name }
            guard status != nil else {
                throw Problem.malformed(
                    "`status` must be `open`, `captured`, `released` or `expired`.")
            }
        }
        let page = try PageRequest(
            request.query, filters: "holds", wallet.description, status?.name ?? "")
        var startingAfter: HoldID?
        if let start = try await page.start(in: queries) {
            guard let id = HoldID(bytes: start.key) else {
                throw Problem.malformed("`cursor` cannot be read.")
            }
            startingAfter = id
        }
        let reading = try await queries.holds(
            of: wallet, status: status, startingAfter: startingAfter, limit: page.limit + 1,
            after: try request.consistencyToken())
        guard let holds = reading.value else {
            throw Problem(missing: .walletNotFound, in: reading)
        }
        let shown = holds.prefix(page.limit)
        let hasMore = holds.count > page.limit
        let last = hasMore ? shown.last?.hold.id : nil
        let next = last.map { page.cursor(after: $0.bytes, at: reading.token) }
        return APIResponse(200) { json in
            json.page(Array(shown), next: next) { $0.hold($1) }
        }.reflecting(reading.token)
    }
}
