import LedgerEngine
import Testing
import WalletAPI
import WalletCore
import WalletTesting

@Suite("A read", .timeLimit(.minutes(1)))
struct ReadingTests {
    @Test("of a balance at an instant is the running sum, to the microsecond")
    func balanceAt() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet()
            var expected: [(at: Instant, total: Int64)] = []
            for amount in [5, 7, 11] as [Int64] {
                service.clock.advance(byMicroseconds: 10)
                let deposit = try await service.post(
                    "/v1/wallets/\(wallet)/deposits", #"{"amount":\#(amount)}"#)
                let at = try #require(Instant(rfc3339: try deposit.text("createdAt").utf8))
                expected.append((at, (expected.last?.total ?? 0) + amount))
            }
            for (index, (at, total)) in expected.enumerated() {
                let before = index == 0 ? 0 : expected[index - 1].total
                for (offset, sum) in [(-1, before), (0, total), (1, total)] as [(Int64, Int64)] {
                    let instant = at.advanced(byMicroseconds: offset)
                    // The present has no later event to read yet.
                    guard instant <= service.clock.now else { continue }
                    let answer = try await service.get(
                        "/v1/wallets/\(wallet)/balance?at=\(instant.rfc3339)")
                    #expect(answer.json["total"] == .integer(sum), "\(index) \(offset)")
                    #expect(answer.json["existed"] == .boolean(true))
                    #expect(answer.json["final"] == .boolean(true))
                    #expect(try answer.text("at") == instant.rfc3339)
                }
            }
            service.clock.advance(byMicroseconds: 1)
            let now = try await service.get(
                "/v1/wallets/\(wallet)/balance?at=\(service.clock.now.rfc3339)")
            #expect(now.json["final"] == .boolean(false))
        }
    }

    @Test("of pages of any size gives every entry once, in either order")
    func pages() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet()
            for amount in 1...7 {
                _ = try await service.post(
                    "/v1/wallets/\(wallet)/deposits", #"{"amount":\#(amount)}"#)
            }
            for limit in 1...8 {
                for (order, expected) in [
                    ("asc", Array(1...7)), ("desc", Array((1...7).reversed())),
                ] {
                    var seen: [Int64] = []
                    var cursor: String? = ""
                    while let next = cursor {
                        let more = next.isEmpty ? "" : "&cursor=\(next)"
                        let page = try await service.get(
                            "/v1/wallets/\(wallet)/transactions?limit=\(limit)&order=\(order)"
                                + more)
                        let items = page.json["items"]?.elements ?? []
                        #expect(items.count <= limit)
                        seen += items.compactMap { $0["change"]?.number }
                        cursor = page.json["next"]?.text
                    }
                    #expect(seen == expected.map(Int64.init), "limit \(limit) \(order)")
                }
            }
        }
    }

    @Test("goes on past ten thousand entries that a filter does not let through")
    func longGaps() async throws {
        try await Service.run { service in
            let id = try await service.wallet()
            let path = "/v1/wallets/\(id)"
            _ = try await service.post(path + "/deposits", #"{"amount":7}"#)
            let wallet = try #require(WalletID(id))
            // Entries that move nothing, as freezing and unfreezing leave them.
            try await service.store.write { transaction in
                var head = try transaction.head()
                var append = Append(head: head)
                guard var last = try transaction.lastEntry(of: wallet, at: head.recordedAt) else {
                    return
                }
                last.type = .walletFrozen
                last.change = 0
                for _ in 0..<EntryQuery.defaultScanLimit + 5 {
                    last.recordedAt = last.recordedAt.advanced(byMicroseconds: 1)
                    append.entries.append(last)
                }
                head.recordedAt = last.recordedAt
                append.head = head
                try transaction.append(append)
            }
            _ = try await service.post(path + "/deposits", #"{"amount":1}"#)
            for (order, expected) in [("asc", [7, 1]), ("desc", [1, 7])] as [(String, [Int64])] {
                var seen: [Int64] = []
                var pages = 0
                var cursor: String? = ""
                while let next = cursor {
                    let page = try await service.get(
                        path + "/transactions?order=\(order)"
                            + (next.isEmpty ? "" : "&cursor=\(next)"))
                    seen += (page.json["items"]?.elements ?? []).compactMap { $0["change"]?.number }
                    cursor = page.json["next"]?.text
                    pages += 1
                }
                #expect(seen == expected, "\(order)")
                #expect(pages == 2)
            }
            let statement = try await service.get(path + "/statement")
            #expect(statement.status == 200)
            #expect(statement.json["entries"]?.elements.count == 2)
        }
    }

    @Test("with a cursor in which one letter was changed is malformed")
    func spoiltCursor() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet()
            for _ in 0..<2 {
                _ = try await service.post("/v1/wallets/\(wallet)/deposits", #"{"amount":1}"#)
            }
            let path = "/v1/wallets/\(wallet)/transactions?limit=1"
            let cursor = try await service.get(path).text("next")
            #expect(try await service.get(path + "&cursor=\(cursor)").status == 200)
            for index in cursor.indices {
                var spoilt = cursor
                spoilt.replaceSubrange(index...index, with: cursor[index] == "A" ? "B" : "A")
                let answer = try await service.get(path + "&cursor=\(spoilt)")
                #expect(answer.code == "MALFORMED_REQUEST", "\(spoilt)")
            }
        }
    }

    @Test("takes a cursor only of the list and the filters that it came from")
    func foreignCursor() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet()
            let other = try await service.wallet()
            for id in [wallet, other] {
                for _ in 0..<2 {
                    _ = try await service.post("/v1/wallets/\(id)/deposits", #"{"amount":1}"#)
                }
            }
            let path = "/v1/wallets/\(wallet)/transactions"
            let cursor = try await service.get(path + "?limit=1").text("next")
            for (path, status) in [
                (path + "?limit=200", 200), (path + "?order=desc", 200), (path + "?order=asc", 400),
                (path + "?type=deposit", 400), (path + "?reference=r", 400),
                (path + "?reference=", 400), (path + "?from=2020-01-01T00:00:00Z", 400),
                ("/v1/wallets/\(other)/transactions?limit=1", 400),
                ("/v1/users/alice/wallets?limit=1", 400), ("/v1/events?limit=1", 400),
            ] {
                #expect(
                    try await service.get(path + "&cursor=\(cursor)").status == status, "\(path)")
            }
        }
    }

    @Test("with a token sees at least what the token stands for, or says that it is unknown")
    func tokens() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet(5)
            let path = "/v1/wallets/\(wallet)"
            let text = try #require(try await service.get(path).header("Consistency-Token"))
            let token = try #require(
                Base64URL.decode(text).flatMap { ConsistencyToken(bytes: $0) })
            #expect(token.position == 2)
            func status(epoch: Int64, position: Int64) async throws -> Int {
                let token = ConsistencyToken(epoch: epoch, position: position)
                return try await service.get(
                    path, headers: ["Consistency-Token": Base64URL.encode(token.bytes)]
                ).status
            }
            #expect(try await status(epoch: token.epoch, position: 0) == 200)
            #expect(try await status(epoch: token.epoch, position: 1) == 200)
            #expect(try await status(epoch: token.epoch, position: 2) == 200)
            #expect(try await status(epoch: token.epoch, position: 3) == 409)
            #expect(try await status(epoch: token.epoch, position: .max) == 409)
            #expect(try await status(epoch: token.epoch - 1, position: 1) == 409)
            #expect(try await status(epoch: token.epoch + 1, position: 1) == 409)
            for index in text.indices {
                var spoilt = text
                spoilt.replaceSubrange(index...index, with: text[index] == "A" ? "B" : "A")
                let answer = try await service.get(path, headers: ["Consistency-Token": spoilt])
                #expect(answer.code == "MALFORMED_REQUEST", "\(spoilt)")
            }
        }
    }

    @Test("has a token whenever its answer comes from the ledger")
    func everyToken() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet(5)
            let nothing = "0198c0de-0000-7000-8000-000000000001"
            for path in [
                "/v1/wallets/\(wallet)", "/v1/wallets/\(wallet)/balance",
                "/v1/wallets/\(wallet)/transactions", "/v1/users/alice/wallets", "/v1/events",
                "/v1/wallets/\(nothing)", "/v1/transactions/\(nothing)",
            ] {
                let answer = try await service.get(path)
                #expect(answer.header("Consistency-Token") != nil, "\(path)")
            }
            let refused = try await service.post(
                "/v1/wallets/\(wallet)/withdrawals", #"{"amount":6}"#)
            #expect(refused.header("Consistency-Token") != nil)
        }
    }

    @Test("of the log gives the bytes that prove its chain")
    func log() async throws {
        try await Service.run { service in
            _ = try await service.wallet(5)
            _ = try await service.wallet(7)
            var hash = Digest.genesis(of: Fixture.ledger)
            var position: Int64 = 0
            var cursor: String? = ""
            while let next = cursor {
                let page = try await service.get(
                    "/v1/events?limit=3" + (next.isEmpty ? "" : "&cursor=\(next)"))
                for item in page.json["items"]?.elements ?? [] {
                    position += 1
                    #expect(item["position"] == .integer(position))
                    let bytes = try eventBytes(at: position, of: page)
                    hash = .chain(after: hash, bytes)
                    #expect(item["hash"] == .string(hash.description))
                    #expect(try Event(canonicalBytes: bytes).position == position)
                }
                cursor = page.json["next"]?.text
            }
            #expect(position == 4)
            let rest = try await service.get("/v1/events?after=3")
            #expect(rest.json["items"]?.elements.map { $0["position"] } == [.integer(4)])
            #expect(try await service.get("/v1/events?after=4").json["items"] == .array([]))
            #expect(try await service.get("/v1/events?after=5").code == "TOKEN_UNKNOWN")
        }
    }

    /// The `event` member exactly as it stands in the answer.
    private func eventBytes(at position: Int64, of page: Answer) throws -> [UInt8] {
        let text = String(decoding: page.body, as: UTF8.self)
        let start = try #require(text.firstRange(of: #""event":{"v":1,"position":\#(position),"#))
        let body = text[text.index(start.lowerBound, offsetBy: 8)...]
        var depth = 0
        for index in body.indices {
            if body[index] == "{" { depth += 1 }
            if body[index] == "}" { depth -= 1 }
            if depth == 0 { return Array(body[...index].utf8) }
        }
        return []
    }

    @Test("of a user's wallets never mixes up people whose names only look alike")
    func users() async throws {
        try await Service.run { service in
            let names = ["%C3%A9", "e%CC%81", "E", "e", "e%20"]
            for (name, json) in zip(names, [#"\u00e9"#, #"e\u0301"#, "E", "e", "e "]) {
                let opened = try await service.post(
                    "/v1/wallets", #"{"userId":"\#(json)","currency":"USD"}"#)
                let id = try opened.text("id")
                let listed = try await service.get("/v1/users/\(name)/wallets")
                #expect(listed.json["items"]?.elements.map { $0["id"] } == [.string(id)])
            }
        }
    }
}
