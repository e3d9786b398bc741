import LedgerEngine
import Testing
import WalletAPI
import WalletCore
import WalletTesting

@Suite("A write", .timeLimit(.minutes(1)))
struct WritingTests {
    @Test("answers with what it made, member by member")
    func shapes() async throws {
        try await Service.run { service in
            let opened = try await service.post(
                "/v1/wallets",
                #"{"userId":"alice","currency":"JPY","metadata":{"b":"2","a":"1"}}"#)
            #expect(opened.status == 201)
            #expect(
                opened.json.names == [
                    "id", "userId", "currency", "status", "balance", "version", "createdAt",
                    "updatedAt", "metadata",
                ])
            let wallet = try opened.text("id")
            #expect(opened.header("Location") == "/v1/wallets/\(wallet)")
            #expect(opened.header("ETag") == "\"v1\"")
            #expect(opened.header("Content-Type") == "application/json")
            #expect(opened.json["metadata"]?.names == ["a", "b"])
            #expect(try await service.get("/v1/wallets/\(wallet)").body == opened.body)

            let deposit = try await service.post(
                "/v1/wallets/\(wallet)/deposits", #"{"amount":5,"reference":"r","currency":"JPY"}"#)
            #expect(
                deposit.json.names == [
                    "id", "type", "amount", "currency", "from", "to", "reference", "description",
                    "createdAt", "position", "balances", "reverses", "reversedAmount", "holdId",
                    "actor", "metadata",
                ])
            let id = try deposit.text("id")
            #expect(deposit.header("Location") == "/v1/transactions/\(id)")
            #expect(deposit.header("ETag") == "\"v2\"")
            #expect(deposit.json["from"] == .null)
            #expect(deposit.json["to"] == .string(wallet))
            #expect(deposit.json["actor"] == .string("shop"))
            #expect(try await service.get("/v1/transactions/\(id)").body == deposit.body)
        }
    }

    @Test("sent again under its key is answered as the first time, whatever happened since")
    func replay() async throws {
        try await Service.run { service in
            let key = ["Idempotency-Key": "open"]
            let body = #"{"userId":"alice","currency":"USD"}"#
            let opened = try await service.post("/v1/wallets", body, headers: key)
            let wallet = try opened.text("id")
            let path = "/v1/wallets/\(wallet)/deposits"
            let depositKey = ["Idempotency-Key": "deposit"]
            let deposit = try await service.post(path, #"{"amount":5}"#, headers: depositKey)
            _ = try await service.post(path, #"{"amount":7}"#)
            service.clock.advance(byMicroseconds: 1_000_000)
            for (again, first) in [
                (try await service.post("/v1/wallets", " " + body + "\n", headers: key), opened),
                (try await service.post(path, #"{"amount":5}"#, headers: depositKey), deposit),
            ] {
                #expect(again.status == 201)
                #expect(again.body == first.body)
                #expect(again.header("ETag") == first.header("ETag"))
                #expect(again.header("Location") == first.header("Location"))
                #expect(again.header("Idempotency-Replayed") == "true")
                #expect(first.header("Idempotency-Replayed") == nil)
            }
            let state = try await service.get("/v1/wallets/\(wallet)/balance")
            #expect(state.json["total"] == .integer(12))
        }
    }

    @Test("that was refused stays refused under its key, with the first request's number")
    func refusedReplay() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet(10)
            let path = "/v1/wallets/\(wallet)/withdrawals"
            let key = ["Idempotency-Key": "too-much"]
            let first = try await service.post(path, #"{"amount":11}"#, headers: key)
            #expect(first.code == "INSUFFICIENT_FUNDS")
            _ = try await service.post("/v1/wallets/\(wallet)/deposits", #"{"amount":5}"#)
            let again = try await service.post(path, #"{"amount":11}"#, headers: key)
            #expect(again.status == 422)
            #expect(again.body == first.body)
            #expect(again.header("Idempotency-Replayed") == "true")
        }
    }

    @Test("under a key that another request has used is refused, before anything else about it")
    func reusedKey() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet(10)
            let key = ["Idempotency-Key": "used"]
            let path = "/v1/wallets/\(wallet)/deposits"
            #expect(try await service.post(path, #"{"amount":5}"#, headers: key).status == 201)
            for (path, body) in [
                (path, #"{"amount":6}"#), (path, #"{"amount":0}"#),
                (path, #"{"amount":5,"currency":"USD"}"#),
                (path, #"{"amount":5,"description":""}"#),
                (path, #"{"amount":5,"currency":"usd"}"#),
                ("/v1/wallets/\(wallet)/withdrawals", #"{"amount":5}"#),
            ] {
                let answer = try await service.post(path, body, headers: key)
                #expect(answer.code == "IDEMPOTENCY_KEY_REUSED", "\(body)")
            }
            // A malformed request is none, so the key has nothing to say about it.
            #expect(try await service.post(path, #"{"amount":5.0}"#, headers: key).status == 400)
        }
    }

    @Test("that could never have been done does not use its key up")
    func stateless() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet()
            let path = "/v1/wallets/\(wallet)/deposits"
            let key = ["Idempotency-Key": "free"]
            for body in [
                #"{"amount":0}"#, #"{"amount":9007199254740992}"#,
                #"{"amount":1,"currency":"XXX"}"#, #"{"amount":1,"reference":""}"#,
            ] {
                #expect(try await service.post(path, body, headers: key).status == 422, "\(body)")
            }
            let done = try await service.post(path, #"{"amount":1}"#, headers: key)
            #expect(done.status == 201)
            #expect(done.header("Idempotency-Replayed") == nil)
        }
    }

    @Test("whose commit was lost on the way back happened once, and is not called a replay")
    func lostCommit() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet()
            service.fault.set(.lostAfterCommit)
            async let answer = service.post(
                "/v1/wallets/\(wallet)/deposits", #"{"amount":5}"#,
                headers: ["Idempotency-Key": "lost"])
            while service.sequencer.statistics.unknownCommits == 0 { await Task.yield() }
            service.fault.set(nil)
            let settled = try await answer
            #expect(settled.status == 201)
            #expect(settled.header("Idempotency-Replayed") == nil)
            let state = try await service.get("/v1/wallets/\(wallet)/balance")
            #expect(state.json["total"] == .integer(5))
            #expect(state.json["version"] == .integer(2))
        }
    }
}
