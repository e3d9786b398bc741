import LedgerEngine
import Testing
import WalletAPI
import WalletClient

@Suite("A read", .timeLimit(.minutes(1)))
struct ReadingTests {
    private static func wallet(status: String = "active") -> String {
        """
        {"id":"w-1","userId":"alice","currency":"USD","status":"\(status)",
        "balance":{"total":10000,"held":2500,"available":7500},"version":7,
        "createdAt":"2026-01-15T10:30:00.000001Z","updatedAt":"2026-01-15T12:30:00+02:00",
        "metadata":{"a":"b"},"novelty":{"x":[1,null,true]}}
        """
    }

    private static func token(_ position: Int64, epoch: Int64 = 1) -> String {
        Base64URL.encode(ConsistencyToken(epoch: epoch, position: position).bytes)
    }

    @Test("understands a newer service: members and names that it does not know")
    func forward() async throws {
        _ = try await FaultyService.run([.status(200, Self.wallet(status: "dormant"))]) { url in
            let wallet = try await WalletClient(testing: url).wallet("w-1")
            #expect(wallet.status.rawValue == "dormant")
            #expect(wallet.status != .active)
            #expect(wallet.balance == .init(total: 10_000, held: 2_500, available: 7_500))
            #expect(wallet.createdAt.microsecondsSinceEpoch == 1_768_473_000_000_001)
            #expect(wallet.updatedAt.description == "2026-01-15T10:30:00.000000Z")
            #expect(wallet.metadata == ["a": "b"])
        }
    }

    @Test("carries the newest token that any answer had, in whatever order they came")
    func tokens() async throws {
        let answers = [(5, 1), (9, 1), (7, 1), (2, 2), (30, 1)].map { position, epoch in
            FaultyService.Act.status(
                200, Self.wallet(),
                headers: ["Consistency-Token: \(Self.token(Int64(position), epoch: Int64(epoch)))"])
        }
        let seen = try await FaultyService.run(answers + [.status(200, Self.wallet())]) { url in
            let client = try WalletClient(testing: url)
            for _ in 0...answers.count { _ = try await client.wallet("w-1") }
        }
        #expect(
            seen.map { $0.headers["consistency-token"] } == [
                nil, Self.token(5), Self.token(9), Self.token(9), Self.token(2, epoch: 2),
                Self.token(2, epoch: 2),
            ])
    }

    @Test("after a write carries its token, and a write carries none")
    func ownWrites() async throws {
        let token = "Consistency-Token: \(Self.token(5))"
        let transaction = FaultyService.Act.status(
            201, FaultyService.Act.transaction, headers: [token])
        let seen = try await FaultyService.run([
            transaction, transaction, .status(200, Self.wallet()),
        ]) { url in
            let client = try WalletClient(testing: url)
            for _ in 1...2 {
                _ = try await client.deposit(Money(minorUnits: 1, currency: "USD"), into: "w-1")
            }
            _ = try await client.wallet("w-1")
        }
        #expect(seen.map { $0.headers["consistency-token"] } == [nil, nil, Self.token(5)])
    }

    @Test("carries no token where that is not wanted")
    func optOut() async throws {
        let answer = FaultyService.Act.status(
            200, Self.wallet(), headers: ["Consistency-Token: \(Self.token(5))"])
        let seen = try await FaultyService.run([answer, answer]) { url in
            let client = try WalletClient(testing: url) { $0.readsOwnWrites = false }
            for _ in 1...2 { _ = try await client.wallet("w-1") }
        }
        #expect(seen.map { $0.headers["consistency-token"] } == [nil, nil])
    }

    @Test("tells that the ledger was restored, and then goes on without the token")
    func restored() async throws {
        let seen = try await FaultyService.run([
            .status(200, Self.wallet(), headers: ["Consistency-Token: \(Self.token(5))"]),
            .problem(409, "TOKEN_UNKNOWN", retryable: false), .status(200, Self.wallet()),
        ]) { url in
            let client = try WalletClient(testing: url)
            _ = try await client.wallet("w-1")
            let error = await #expect(throws: WalletError.self) {
                try await client.wallet("w-1")
            }
            #expect(error?.code == .tokenUnknown)
            _ = try await client.wallet("w-1")
        }
        #expect(seen.map { $0.headers["consistency-token"] } == [nil, Self.token(5), nil])
    }

    @Test("is repeated when the connection was lost")
    func again() async throws {
        let seen = try await FaultyService.run([.close, .status(200, Self.wallet())]) { url in
            let wallet = try await WalletClient(testing: url).wallet("w-1")
            #expect(wallet.version == 7)
        }
        #expect(seen.count == 2)
    }

    @Test("of more than is read into memory fails, and is not repeated")
    func tooLarge() async throws {
        let length = Transport.largestAnswer + 1
        let seen = try await FaultyService.run([
            .answerAndClose("HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n{")
        ]) { url in
            let client = try WalletClient(testing: url)
            let error = await #expect(throws: WalletError.self) {
                try await client.statement(of: "w-1")
            }
            #expect(error?.code == .unreadableAnswer)
            #expect(error?.isRetryable == false)
        }
        #expect(seen.count == 1)
    }

    @Test("of a list fetches a page when it is needed, with the filters and the cursor")
    func pages() async throws {
        func page(_ next: String) -> FaultyService.Act {
            let item =
                #"{"transaction":\#(FaultyService.Act.transaction),"change":1050,"#
                + #""balanceAfter":1050,"version":2}"#
            return .status(200, #"{"items":[\#(item),\#(item)],"next":\#(next)}"#)
        }
        let seen = try await FaultyService.run([
            page("\"c+1\""), .close, page("\"c2\""), .status(200, #"{"items":[],"next":null}"#),
        ]) { url in
            let client = try WalletClient(testing: url)
            var filter = WalletClient.HistoryFilter(type: .deposit, reference: "a&b")
            filter.from = Timestamp(microsecondsSinceEpoch: 0)
            var entries: [WalletClient.Entry] = []
            for try await entry in client.history(of: "w-1", filter: filter, pageSize: 2) {
                entries.append(entry)
            }
            #expect(entries.map(\.change) == [1050, 1050, 1050, 1050])
        }
        let query =
            "/v1/wallets/w-1/transactions?type=deposit&reference=a%26b"
            + "&from=1970-01-01T00%3A00%3A00.000000Z&limit=2"
        #expect(
            seen.map(\.line)
                == ["", "&cursor=c%2B1", "&cursor=c%2B1", "&cursor=c2"].map {
                    "GET \(query)\($0) HTTP/1.1"
                })
    }

    @Test("of a list that goes round in circles fails")
    func circle() async throws {
        let page = FaultyService.Act.status(200, #"{"items":[],"next":"c1"}"#)
        _ = try await FaultyService.run([page, page, page]) { url in
            let client = try WalletClient(testing: url)
            let error = await #expect(throws: WalletError.self) {
                for try await _ in client.holds(of: "w-1") {}
            }
            #expect(error?.code == .unreadableAnswer)
        }
    }

    @Test("of a statement as CSV that is cut short ends with an error")
    func cutShort() async throws {
        _ = try await FaultyService.run([.cutShort(200, "time,change\n")]) { url in
            let stream = try await WalletClient(testing: url).statementCSV(of: "w-1")
            var bytes: [UInt8] = []
            let error = await #expect(throws: WalletError.self) {
                for try await piece in stream { bytes += piece }
            }
            #expect(error?.code == .connectionFailed)
            #expect(String(decoding: bytes, as: UTF8.self) == "time,change\n")
        }
    }

    @Test("of health says no, and nothing else, whatever is wrong")
    func health() async throws {
        let seen = try await FaultyService.run([
            .close, .problem(503, "READS_UNAVAILABLE", retryable: true),
            .status(200, #"{"status":"ready"}"#),
        ]) { url in
            let client = try WalletClient(testing: url, token: nil)
            #expect(await !client.isReady())
            #expect(await !client.isReady())
            #expect(await client.isReady())
        }
        #expect(seen.map(\.line) == Array(repeating: "GET /health/ready HTTP/1.1", count: 3))
        #expect(seen.allSatisfy { $0.headers["authorization"] == nil })
    }
}
