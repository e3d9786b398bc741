import LedgerEngine
import Testing
import WalletAPI
import WalletCore
import WalletTesting

@Suite("A hold", .timeLimit(.minutes(1)))
struct HoldTests {
    private func hold(
        _ service: Service, _ wallet: String, _ amount: Int64, for microseconds: Int64? = nil
    ) async throws -> Answer {
        let expiry = microseconds.map {
            #","expiresAt":"\#(service.clock.now.advanced(byMicroseconds: $0).rfc3339)""#
        }
        return try await service.post(
            "/v1/wallets/\(wallet)/holds", #"{"amount":\#(amount)\#(expiry ?? "")}"#)
    }

    @Test("is open until the microsecond of its expiry, and expired from then on for every reader")
    func expiry() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet(100)
            let placed = try await hold(service, wallet, 30, for: 1_000)
            let path = "/v1/holds/\(try placed.text("id"))"
            for (step, status, held) in [
                (0, "open", 30), (999, "open", 30), (1, "expired", 0), (1_000_000, "expired", 0),
            ] as [(Int64, String, Int64)] {
                service.clock.advance(byMicroseconds: step)
                #expect(try await service.get(path).text("status") == status)
                let balance = try await service.get("/v1/wallets/\(wallet)/balance")
                #expect(balance.json["held"] == .integer(held))
                let version: Int64 = status == "open" ? 3 : 4
                #expect(balance.json["version"] == .integer(version), "as if it were recorded")
                for filter in ["open", "expired", "captured", "released"] {
                    let page = try await service.get("/v1/wallets/\(wallet)/holds?status=\(filter)")
                    #expect(page.json["items"]?.elements.count == (filter == status ? 1 : 0))
                }
            }
            let refused = try await service.post(path + "/capture", "{}")
            #expect(refused.code == "HOLD_NOT_OPEN")
            #expect(refused.json["holdStatus"] == .string("expired"))
            let balance = try await service.get("/v1/wallets/\(wallet)/balance")
            #expect(balance.json["version"] == .integer(4), "the refused command recorded it")
        }
    }

    @Test("that expires unrecorded leaves an ETag that the next command takes")
    func entityTag() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet(100)
            for _ in 1...2 { _ = try await hold(service, wallet, 30, for: 1_000) }
            let path = "/v1/wallets/\(wallet)"
            let before = try await service.get(path)
            service.clock.advance(byMicroseconds: 2_000)
            let after = try await service.get(path)
            #expect(before.header("ETag") == "\"v4\"")
            #expect(after.header("ETag") == "\"v6\"")
            let late = try await service.post(
                path + "/withdrawals", #"{"amount":1}"#,
                headers: ["If-Match": before.header("ETag")])
            #expect(late.code == "VERSION_MISMATCH")
            #expect(late.json["version"] == .integer(6))
            let done = try await service.post(
                path + "/withdrawals", #"{"amount":90}"#,
                headers: ["If-Match": after.header("ETag")])
            #expect(done.status == 201)
            #expect(done.header("ETag") == "\"v7\"")
        }
    }

    @Test("that expires is in a page of its status once, recorded or not")
    func pages() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet(100)
            var placed: [String] = []
            for number in 0..<6 {
                let answer = try await hold(service, wallet, 1, for: number < 3 ? 10 : 1_000)
                placed.append(try answer.text("id"))
            }
            service.clock.advance(byMicroseconds: 100)
            // Records the first three, and leaves the others open.
            _ = try await service.post("/v1/wallets/\(wallet)/deposits", #"{"amount":1}"#)
            service.clock.advance(byMicroseconds: 1_000)
            for limit in 1...7 {
                var seen: [String] = []
                var cursor: String? = ""
                while let next = cursor {
                    let page = try await service.get(
                        "/v1/wallets/\(wallet)/holds?status=expired&limit=\(limit)"
                            + (next.isEmpty ? "" : "&cursor=\(next)"))
                    seen += page.json["items"]?.elements.compactMap { $0["id"]?.text } ?? []
                    cursor = page.json["next"]?.text
                }
                #expect(seen == placed, "limit \(limit)")
            }
        }
    }

    @Test("is answered with the same bytes however often its release is sent")
    func replays() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet(100)
            let path = "/v1/holds/\(try await hold(service, wallet, 30).text("id"))"
            let key = ["Idempotency-Key": "release"]
            let first = try await service.post(path + "/release", "", headers: key)
            #expect(first.status == 200)
            #expect(first.header("ETag") == "\"v4\"")
            #expect(try await service.get(path).body == first.body)
            for body in ["", "{}", " { } "] {
                let again = try await service.post(path + "/release", body, headers: key)
                #expect(again.body == first.body)
                #expect(again.header("Idempotency-Replayed") == "true")
            }
            let found = try await service.get("/v1/idempotency-keys/release")
            #expect(found.status == 200)
            #expect(found.body == first.body)
            #expect(found.header("Idempotency-Replayed") == "true")
        }
    }
}

@Suite("What became of a key", .timeLimit(.minutes(1)))
struct KeyTests {
    @Test("is not told by an event whose key only begins alike")
    func wholeKey() async throws {
        let clock = ManualClock()
        let store = InMemoryLedgerStore(ledger: Fixture.ledger) { clock.now }
        let wanted = Digest.idempotencyKey("wanted", of: Fixture.shop)
        var scribe = Scribe(after: try await store.read { try $0.head() })
        var append = try scribe.append([
            .openWallet(userID: "alice", currency: Fixture.currency("USD"))
        ])
        // As in a store that keeps a part of the hash, where another key's part is the same.
        append.keys = [KeyRecord(key: wanted, position: 1)]
        try await store.write { [append] in try $0.append(append) }
        let queries = Queries(store: store) { clock.now }
        #expect(try await queries.outcome(of: wanted, after: nil).value == nil)
    }

    @Test("is told of a wallet that was frozen, even after it was closed")
    func frozen() async throws {
        try await Service.run { service in
            let opened = try await service.post(
                "/v1/wallets", #"{"userId":"alice","currency":"USD","metadata":{"plan":"gold"}}"#)
            let path = "/v1/wallets/\(try opened.text("id"))"
            service.clock.advance(byMicroseconds: 5)
            let frozen = try await service.post(
                path + "/freeze", #"{"reason":"lost card"}"#, headers: ["Idempotency-Key": "f"])
            #expect(try await service.get(path).body == frozen.body)
            _ = try await service.post(path + "/close", "{}")
            let found = try await service.get("/v1/idempotency-keys/f")
            #expect(found.body == frozen.body)
            #expect(found.json["status"] == .string("frozen"))
            #expect(found.json["metadata"]?.names == ["plan"])
            #expect(found.header("ETag") == "\"v2\"")
        }
    }
}
