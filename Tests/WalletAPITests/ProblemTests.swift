import HTTPTypes
import LedgerEngine
import Testing
import WalletAPI
import WalletCore
import WalletTesting

@Suite("A problem", .timeLimit(.minutes(1)))
struct ProblemTests {
    /// The contract: every stable name and its status.
    private static let statuses: [String: Int] = [
        "MALFORMED_REQUEST": 400, "IDEMPOTENCY_KEY_REQUIRED": 400, "UNAUTHENTICATED": 401,
        "FORBIDDEN": 403, "NOT_FOUND": 404, "WALLET_NOT_FOUND": 404, "TRANSACTION_NOT_FOUND": 404,
        "HOLD_NOT_FOUND": 404, "METHOD_NOT_ALLOWED": 405, "NOT_ACCEPTABLE": 406,
        "IDEMPOTENCY_IN_FLIGHT": 409, "REFERENCE_ALREADY_USED": 409, "TOKEN_UNKNOWN": 409,
        "VERSION_MISMATCH": 412, "BODY_TOO_LARGE": 413, "UNSUPPORTED_MEDIA_TYPE": 415,
        "VALIDATION_FAILED": 422, "IDEMPOTENCY_KEY_REUSED": 422, "AMOUNT_OUT_OF_RANGE": 422,
        "CURRENCY_UNKNOWN": 422, "CURRENCY_MISMATCH": 422, "INSUFFICIENT_FUNDS": 422,
        "BALANCE_OVERFLOW": 422, "SAME_WALLET": 422, "WALLET_FROZEN": 422, "WALLET_CLOSED": 422,
        "WALLET_NOT_EMPTY": 422, "HOLD_NOT_OPEN": 422, "HOLD_EXCEEDED": 422,
        "ALREADY_REVERSED": 422, "REVERSAL_EXCEEDED": 422, "NOT_REVERSIBLE": 422,
        "FUTURE_TIMESTAMP": 422, "RECIPIENT_UNAVAILABLE": 422, "BATCH_REFUSED": 422,
        "RATE_LIMITED": 429, "INTERNAL_ERROR": 500, "OVERLOADED": 503, "WRITES_UNAVAILABLE": 503,
        "READS_UNAVAILABLE": 503, "HEADERS_TOO_LARGE": 431,
    ]

    @Test("has the status that its code stands for", arguments: ProblemCode.allCases)
    func statuses(code: ProblemCode) {
        #expect(ProblemTests.statuses[code.rawValue] == code.status)
    }

    /// Checks that an answer is the problem, in the shape that every problem has.
    private func check(
        _ answer: Answer, is code: String, then members: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let status = ProblemTests.statuses[code] ?? 0
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect(answer.code == code, "\(text)", sourceLocation: sourceLocation)
        #expect(answer.status == status, sourceLocation: sourceLocation)
        #expect(
            answer.header("Content-Type") == "application/problem+json",
            sourceLocation: sourceLocation)
        let standard = ["type", "title", "status", "detail", "code", "retryable", "requestId"]
        #expect(answer.json.names == standard + members, sourceLocation: sourceLocation)
        #expect(answer.json["status"] == .integer(Int64(status)), sourceLocation: sourceLocation)
        #expect(
            answer.json["retryable"] == .boolean(status >= 500), sourceLocation: sourceLocation)
        let slug = code.lowercased().replacing("_", with: "-")
        #expect(
            answer.json["type"]?.text?.hasSuffix("/problems/\(slug)") == true,
            sourceLocation: sourceLocation)
        #expect(answer.detail.hasSuffix("."), sourceLocation: sourceLocation)
        #expect(
            (answer.header("Retry-After") != nil) == (status == 503),
            sourceLocation: sourceLocation)
        #expect(!text.contains("injected"), sourceLocation: sourceLocation)
    }

    @Test("says that nothing is there")
    func missing() async throws {
        try await Service.run { service in
            let nothing = "0198c0de-0000-7000-8000-000000000001"
            check(try await service.get("/nothing"), is: "NOT_FOUND")
            check(try await service.get("/v1/wallets/\(nothing)"), is: "WALLET_NOT_FOUND")
            check(try await service.get("/v1/wallets/\(nothing)/balance"), is: "WALLET_NOT_FOUND")
            check(
                try await service.get("/v1/wallets/\(nothing)/transactions"),
                is: "WALLET_NOT_FOUND")
            check(
                try await service.get("/v1/transactions/\(nothing)"), is: "TRANSACTION_NOT_FOUND")
            check(
                try await service.post("/v1/wallets/\(nothing)/deposits", #"{"amount":1}"#),
                is: "WALLET_NOT_FOUND", then: ["walletId"])
            // The identifier of a wallet leads to its event, and that is no transaction.
            let wallet = try await service.wallet()
            check(
                try await service.get("/v1/transactions/\(wallet)"), is: "TRANSACTION_NOT_FOUND")
        }
    }

    @Test("says why money cannot move, with what helps to understand it")
    func movements() async throws {
        try await Service.run { service in
            let alice = try await service.wallet(100)
            let euro = try await service.wallet(currency: "EUR")
            let full = try await service.wallet(Amount.maximum)
            func move(_ path: String, _ body: String) async throws -> Answer {
                try await service.post(path, body)
            }
            let out = "/v1/wallets/\(alice)/withdrawals"
            let funds = try await move(out, #"{"amount":101}"#)
            check(funds, is: "INSUFFICIENT_FUNDS", then: ["walletId", "available", "requested"])
            #expect(funds.json["available"] == .integer(100))
            #expect(funds.json["requested"] == .integer(101))
            check(
                try await move(out, #"{"amount":0}"#), is: "AMOUNT_OUT_OF_RANGE",
                then: ["field", "minimum", "maximum"])
            check(
                try await move(out, #"{"amount":1,"currency":"usd"}"#), is: "CURRENCY_UNKNOWN",
                then: ["currency"])
            check(
                try await move(out, #"{"amount":1,"currency":"EUR"}"#), is: "CURRENCY_MISMATCH",
                then: ["walletId", "currency", "requested"])
            check(
                try await move(out, #"{"amount":1,"reference":""}"#), is: "VALIDATION_FAILED",
                then: ["field", "allowed"])
            check(
                try await move("/v1/wallets/\(full)/deposits", #"{"amount":1}"#),
                is: "BALANCE_OVERFLOW", then: ["walletId", "allowed", "requested"])
            check(
                try await move(
                    "/v1/transfers", #"{"from":"\#(alice)","to":"\#(alice)","amount":1}"#),
                is: "SAME_WALLET", then: ["walletId"])
            check(
                try await move(
                    "/v1/transfers", #"{"from":"\#(alice)","to":"\#(euro)","amount":1}"#),
                is: "CURRENCY_MISMATCH", then: ["walletId", "currency", "requested"])
            let version = try await service.post(
                out, #"{"amount":1}"#, headers: ["If-Match": "\"v1\""])
            check(version, is: "VERSION_MISMATCH", then: ["walletId", "version"])
            #expect(version.json["version"] == .integer(2))
            let first = try await move(out, #"{"amount":1,"reference":"r"}"#)
            let again = try await move(out, #"{"amount":1,"reference":"r"}"#)
            check(again, is: "REFERENCE_ALREADY_USED", then: ["reference", "transactionId"])
            #expect(again.json["transactionId"] == first.json["id"])
            let held = try await move(
                "/v1/wallets/\(alice)/holds", #"{"amount":1,"reference":"h"}"#)
            let taken = try await move(out, #"{"amount":1,"reference":"h"}"#)
            check(taken, is: "REFERENCE_ALREADY_USED", then: ["reference", "holdId"])
            #expect(taken.json["holdId"] == held.json["id"])
        }
    }

    @Test("says that a wallet lets no money out, or is closed")
    func status() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet(100)
            let id = try #require(WalletID(wallet))
            try await service.command(.freezeWallet(id))
            check(
                try await service.post("/v1/wallets/\(wallet)/withdrawals", #"{"amount":100}"#),
                is: "WALLET_FROZEN", then: ["walletId"])
            try await service.command(.unfreezeWallet(id))
            let emptied = try await service.post(
                "/v1/wallets/\(wallet)/withdrawals", #"{"amount":100}"#)
            #expect(emptied.status == 201)
            try await service.command(.closeWallet(id))
            check(
                try await service.post("/v1/wallets/\(wallet)/deposits", #"{"amount":1}"#),
                is: "WALLET_CLOSED", then: ["walletId"])
            #expect(try await service.get("/v1/wallets/\(wallet)").text("status") == "closed")
        }
    }

    @Test("says what was wrong with the request")
    func requests() async throws {
        try await Service.run(maximumBody: 64) { service in
            let path = "/v1/wallets"
            check(try await service.post(path, "{"), is: "MALFORMED_REQUEST")
            check(
                try await service.post(
                    path, #"{"userId":"a","currency":"USD"}"#, headers: ["Idempotency-Key": nil]),
                is: "IDEMPOTENCY_KEY_REQUIRED")
            check(
                try await service.post(path, String(repeating: " ", count: 65)),
                is: "BODY_TOO_LARGE")
            check(
                try await service.post(path, "{}", headers: ["Content-Type": "text/plain"]),
                is: "UNSUPPORTED_MEDIA_TYPE")
            check(try await service.send(.delete, path), is: "METHOD_NOT_ALLOWED")
            check(try await service.send(.get, "/v1/events", secret: nil), is: "UNAUTHENTICATED")
            check(
                try await service.send(.get, "/v1/events", secret: "wk_writer"), is: "FORBIDDEN")
            let wallet = try await service.wallet()
            check(
                try await service.get("/v1/wallets/\(wallet)/balance?at=2999-01-01T00:00:00Z"),
                is: "FUTURE_TIMESTAMP")
        }
    }

    @Test("says that a database which cannot write may write again, without saying more")
    func unavailable() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet(100)
            let path = "/v1/wallets/\(wallet)/deposits"
            let key = ["Idempotency-Key": "once"]
            service.fault.set(.unavailable)
            check(
                try await service.post(path, #"{"amount":1}"#, headers: key),
                is: "WRITES_UNAVAILABLE")
            #expect(try await service.get("/v1/wallets/\(wallet)").status == 200)
            #expect(try await service.get("/health/ready").status == 200)
            service.fault.set(nil)
            let settled = try await service.post(path, #"{"amount":1}"#, headers: key)
            #expect(settled.status == 201)
            #expect(settled.header("Idempotency-Replayed") == nil)
        }
    }

    @Test("says that the database refuses one request's data, and no more than that")
    func rejected() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet(100)
            service.store.reject { $0.segment != nil }
            check(
                try await service.post("/v1/wallets/\(wallet)/deposits", #"{"amount":1}"#),
                is: "INTERNAL_ERROR")
            service.store.reject { _ in false }
            #expect(try await service.get("/v1/wallets/\(wallet)").json["version"] == .integer(2))
        }
    }

    @Test("says at once that too many wait")
    func overloaded() async throws {
        try await Service.run(queueLimit: 1, isWriting: false) { service in
            let body = #"{"userId":"alice","currency":"USD"}"#
            async let waiting = service.post("/v1/wallets", body)
            while service.sequencer.statistics.queueDepth == 0 { await Task.yield() }
            check(try await service.post("/v1/wallets", body), is: "OVERLOADED")
            service.sequencer.stop()
            check(try await service.post("/v1/wallets", body), is: "WRITES_UNAVAILABLE")
            // What waited before the stop is still done.
            await service.sequencer.run()
            #expect(try await waiting.status == 201)
        }
    }

    @Test("says that an instance which stops wants no more requests")
    func notReady() async throws {
        try await Service.run { service in
            #expect(
                try await service.get("/health/ready").body == Array(#"{"status":"ready"}"#.utf8))
            service.readiness.stop()
            check(try await service.get("/health/ready"), is: "READS_UNAVAILABLE")
            #expect(try await service.get("/health/live").body == Array(#"{"status":"live"}"#.utf8))
        }
    }
}
