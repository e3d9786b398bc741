import HTTPTypes
import LedgerEngine
import WalletCore

/// The calls that only look.
struct ReadRoutes: Sendable {
    let queries: Queries
    let ownership: Ownership

    var routes: [Route] {
        [
            Route(.get, "/v1/wallets/{id}", scope: .read, users: .ownWallet, wallet),
            Route(.get, "/v1/wallets/{id}/balance", scope: .read, users: .ownWallet, balance),
            Route(
                .get, "/v1/wallets/{id}/transactions", scope: .read, users: .ownWallet, history),
            Route(
                .get, "/v1/users/{userId}/wallets", scope: .read, users: .ownUser, walletsOfUser),
            Route(
                .get, "/v1/transactions/{id}", scope: .read, users: .ownTransaction, transaction),
            Route(.get, "/v1/events", scope: .admin, events),
        ]
    }

    @Sendable private func wallet(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow()
        let reading = try await queries.wallet(
            try request.identifier(0), after: try request.consistencyToken())
        guard let view = reading.value else { throw Problem(missing: .walletNotFound, in: reading) }
        var response = APIResponse(200) { $0.wallet(view) }
        response.headers[.eTag] = "\"v\(view.wallet.version)\""
        return response.reflecting(reading.token)
    }

    @Sendable private func balance(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow("at")
        let instant = try request.instant("at")
        let reading = try await queries.balance(
            of: try request.identifier(0), at: instant, after: try request.consistencyToken())
        guard let view = reading.value else { throw Problem(missing: .walletNotFound, in: reading) }
        return APIResponse(200) { $0.balance(view, asOf: instant != nil) }
            .reflecting(reading.token)
    }

    @Sendable private func history(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow("type", "reference", "from", "to", "order", "limit", "cursor")
        let id: WalletID = try request.identifier(0)
        var query = EntryQuery(
            types: EventType.transactions, from: .earliest, until: .latest, isAscending: false,
            limit: 0)
        if let type = request.query["type"] {
            query.types = EventType.transactions.filter { $0.transactionName == type }
            guard !query.types.isEmpty else {
                throw Problem.malformed("`type` is not a type of transaction.")
            }
        }
        query.reference = request.query["reference"]
        query.from = try request.instant("from") ?? query.from
        query.until = try request.instant("to") ?? query.until
        switch request.query["order"] {
        case nil, "desc": break
        case "asc": query.isAscending = true
        default: throw Problem.malformed("`order` must be `asc` or `desc`.")
        }
        let page = try PageRequest(
            request.query,
            filters: "history", id.description, "\(query.types.map(\.rawValue))",
            "\(query.reference == nil)", query.reference ?? "",
            "\(query.from.microseconds)", "\(query.until.microseconds)", "\(query.isAscending)")
        if let (_, key) = try await page.start(in: queries) {
            guard key.count == 8 else { throw Problem.malformed("`cursor` cannot be read.") }
            let last = Instant(microseconds: Int64(bitPattern: key.bigEndian(at: 0)))
            if query.isAscending {
                query.from = last.advanced(byMicroseconds: 1)
            } else {
                query.until = last
            }
        }
        query.limit = page.limit + 1
        let reading = try await queries.history(
            of: id, query, after: try request.consistencyToken())
        guard let found = reading.value else {
            throw Problem(missing: .walletNotFound, in: reading)
        }
        let shown = found.items.prefix(page.limit)
        let sight = try await ownership.sight(
            of: request.caller, on: shown.map(\.transaction.event), after: reading.token)
        let hasMore = found.items.count > page.limit
        let last = hasMore ? shown.last?.entry.recordedAt : found.scannedTo
        let next = last.map { last in
            var key: [UInt8] = []
            key.appendBigEndian(UInt64(bitPattern: last.microseconds))
            return page.cursor(after: key, at: reading.token)
        }
        return APIResponse(200) { json in
            json.page(Array(shown), next: next) { $0.historyItem(sight.of($1)) }
        }.reflecting(reading.token)
    }

    @Sendable private func walletsOfUser(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow("limit", "cursor")
        let userID = request.parameters[0]
        guard userID.isIdentifier(TextLimits.userID) else {
            throw Problem.malformed("The user in the path must have 1 to 128 characters.")
        }
        let page = try PageRequest(request.query, filters: "wallets", userID)
        var startingAfter: WalletID?
        if let start = try await page.start(in: queries) {
            guard let id = WalletID(bytes: start.key) else {
                throw Problem.malformed("`cursor` cannot be read.")
            }
            startingAfter = id
        }
        let reading = try await queries.wallets(
            ofUser: userID, startingAfter: startingAfter, limit: page.limit + 1,
            after: try request.consistencyToken())
        let shown = reading.value.prefix(page.limit)
        let hasMore = reading.value.count > page.limit
        let last = hasMore ? shown.last?.wallet.id : nil
        let next = last.map { page.cursor(after: $0.bytes, at: reading.token) }
        return APIResponse(200) { json in
            json.page(Array(shown), next: next) { $0.wallet($1) }
        }.reflecting(reading.token)
    }

    @Sendable private func transaction(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow()
        let reading = try await queries.transaction(
            try request.identifier(0), after: try request.consistencyToken())
        guard let view = reading.value else {
            throw Problem(missing: .transactionNotFound, in: reading)
        }
        let sight = try await ownership.sight(
            of: request.caller, on: [view.event], after: reading.token)
        return APIResponse(200) { $0.transaction(sight.of(view)) }.reflecting(reading.token)
    }

    @Sendable private func events(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow("after", "limit", "cursor")
        var position = try request.position("after") ?? 0
        let page = try PageRequest(request.query, filters: "events")
        if let (place, key) = try await page.start(in: queries) {
            guard key.isEmpty else { throw Problem.malformed("`cursor` cannot be read.") }
            position = place.position
        } else {
            try await queries.requirePlace(position, epoch: nil)
        }
        let reading = try await queries.log(
            after: position, limit: page.limit, token: try request.consistencyToken())
        var next: String?
        if let last = reading.value.last, last.position < reading.head.position {
            next = page.cursor(after: [], at: try last.event().place)
        }
        return APIResponse(200) { json in
            json.page(reading.value, next: next) { $0.logRecord($1) }
        }.reflecting(reading.token)
    }
}
