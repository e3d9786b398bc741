import HTTPTypes
import LedgerEngine
import WalletCore

/// A wallet's statement, as JSON or CSV, sent page by page.
struct StatementRoutes: Sendable {
    let queries: Queries
    let ownership: Ownership

    var routes: [Route] {
        [
            Route(
                .get, "/v1/wallets/{id}/statement", scope: .read, users: .ownWallet, statement)
        ]
    }

    @Sendable private func statement(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow("from", "to")
        let kind = Accept(request.headers[.accept]).best(of: "application/json", "text/csv")
        guard let kind else {
            throw Problem(
                .notAcceptable, "A statement is application/json or text/csv; Accept has neither.")
        }
        let from = try request.instant("from")
        let until = try request.instant("to")
        if let from, let until, from > until {
            throw Problem(.invalid("to", allowed: "`from` or later"))
        }
        let reading = try await queries.statement(
            of: try request.identifier(0), from: from, until: until,
            after: try request.consistencyToken())
        guard let statement = reading.value else {
            throw Problem(missing: .walletNotFound, in: reading)
        }
        var response =
            kind == "text/csv"
            ? response(statement, for: request.caller, CSVStatementWriter.self)
            : response(statement, for: request.caller, JSONStatementWriter.self)
        response.headers[.vary] = "Accept"
        return response.reflecting(reading.token)
    }

    private func response<Writer: StatementWriter>(
        _ statement: Statement, for caller: Caller?, _ kind: Writer.Type
    ) -> APIResponse {
        let movements = queries.movements(of: statement)
        return APIResponse(
            200, contentType: Writer.contentType,
            stream: BodyStream(isLive: false) { [ownership] sink in
                var movements = movements
                var writer = Writer(statement)
                writer.begin()
                while case let page = try await movements.next(), !page.isEmpty {
                    let sight = try await ownership.sight(
                        of: caller, on: page.map(\.transaction.event), after: nil)
                    for item in page { writer.movement(sight.of(item)) }
                    try await sink.write(writer.drain())
                }
                writer.end()
                try await sink.write(writer.drain())
            })
    }
}
