import Testing
import WalletClient

@Suite("A write", .timeLimit(.minutes(1)))
struct RetryTests {
    private static let money = Money(minorUnits: 1050, currency: "USD")

    @Test(
        "is sent again with the same key and body until there is a certain answer",
        arguments: [
            FaultyService.Act.close,
            .cutShort(201, "{\"id\":"),
            .status(201, "{\"id\":"),
            .status(201, "<html>a proxy</html>", type: "text/html"),
            .status(502, "bad gateway", type: "text/plain"),
            .problem(503, "OVERLOADED", retryable: true),
            .problem(409, "IDEMPOTENCY_IN_FLIGHT", retryable: true),
            .problem(500, "INTERNAL_ERROR", retryable: true),
            .problem(429, "RATE_LIMITED", retryable: true),
        ])
    func again(fault: FaultyService.Act) async throws {
        let seen = try await FaultyService.run([fault, fault, .deposited]) { url in
            let client = try WalletClient(testing: url)
            let receipt = try await client.deposit(Self.money, into: "w-1")
            #expect(receipt.id == "t-1")
            #expect(receipt.attempts == 3)
            #expect(!receipt.isReplay)
        }
        #expect(seen.count == 3)
        #expect(Set(seen.map(\.body)) == [#"{"amount":1050,"currency":"USD"}"#])
        let keys = Set(seen.compactMap { $0.headers["idempotency-key"] })
        #expect(keys.count == 1)
        #expect(keys.first?.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}/) != nil)
    }

    @Test("is given up after the attempts that are allowed, and the error has its key")
    func givenUp() async throws {
        let pauses = Pauses()
        let seen = try await FaultyService.run(
            Array(repeating: .problem(503, "OVERLOADED", retryable: true), count: 9)
        ) { url in
            let client = try WalletClient(testing: url, pauses)
            let key = try #require(IdempotencyKey(rawValue: "order-42"))
            let error = await #expect(throws: WalletError.self) {
                try await client.deposit(
                    Self.money, into: "w-1", options: .init(idempotencyKey: key))
            }
            #expect(error?.kind == .unavailable)
            #expect(error?.code == .overloaded)
            #expect(error?.idempotencyKey == key)
            #expect(error?.attempts == 4)
            #expect(error?.isRetryable == true)
        }
        #expect(
            seen.map { $0.headers["idempotency-key"] } == Array(repeating: "order-42", count: 4))
        #expect(pauses.all == [.milliseconds(75), .milliseconds(150), .milliseconds(300)])
    }

    @Test("that was refused is not sent again, and the error says all that the problem does")
    func refused() async throws {
        let seen = try await FaultyService.run([
            .problem(
                422, "INSUFFICIENT_FUNDS", retryable: false,
                headers: ["Idempotency-Replayed: true"])
        ]) { url in
            let client = try WalletClient(testing: url)
            let error = await #expect(throws: WalletError.self) {
                try await client.withdraw(Self.money, from: "w-1")
            }
            #expect(error?.kind == .refused)
            #expect(error?.code == .insufficientFunds)
            #expect(error?.status == 422)
            #expect(error?.detail == "Why.")
            #expect(error?.requestID == "r-1")
            #expect(error?.isReplay == true)
            #expect(
                error?.members == ["available": .integer(7), "novelty": .array([.string("x")])])
        }
        #expect(seen.count == 1)
    }

    @Test(
        "that may have happened is not said to be refused by who did not look at its key",
        arguments: [
            FaultyService.Act.close, .cutShort(201, "{\"id\":"),
            .problem(503, "OVERLOADED", retryable: true),
            .problem(409, "IDEMPOTENCY_IN_FLIGHT", retryable: true),
        ],
        [
            FaultyService.Act.problem(401, "UNAUTHENTICATED", retryable: false),
            .problem(403, "FORBIDDEN", retryable: false),
            .status(404, "not here", type: "text/plain"),
        ])
    func openOutcome(fault: FaultyService.Act, last: FaultyService.Act) async throws {
        let seen = try await FaultyService.run([fault, last]) { url in
            let client = try WalletClient(testing: url)
            let error = await #expect(throws: WalletError.self) {
                try await client.deposit(Self.money, into: "w-1")
            }
            #expect(error?.kind == .unavailable)
            #expect(error?.isRetryable == false)
            #expect(error?.idempotencyKey != nil)
        }
        #expect(seen.count == 2)
    }

    @Test(
        "is refused if no attempt can have happened, or the key was looked at",
        arguments: [
            [FaultyService.Act.problem(401, "UNAUTHENTICATED", retryable: false)],
            [
                .problem(429, "RATE_LIMITED", retryable: true),
                .problem(401, "UNAUTHENTICATED", retryable: false),
            ],
            [.close, .problem(422, "INSUFFICIENT_FUNDS", retryable: false)],
        ])
    func certainlyRefused(script: [FaultyService.Act]) async throws {
        let seen = try await FaultyService.run(script) { url in
            let client = try WalletClient(testing: url)
            let error = await #expect(throws: WalletError.self) {
                try await client.deposit(Self.money, into: "w-1")
            }
            #expect(error?.kind == .refused)
        }
        #expect(seen.count == script.count)
    }

    @Test("that asks for a version is not sent in a batch, where nobody would look at it")
    func versionInBatch() async throws {
        let seen = try await FaultyService.run([]) { url in
            let client = try WalletClient(testing: url)
            let operations: [WalletClient.Operation] = [
                .deposit(Self.money, into: "w-1"),
                .release("h-1", options: .init(ifVersion: 7)),
            ]
            let error = await #expect(throws: WalletError.self) {
                try await client.batch(operations, atomic: false)
            }
            #expect(error?.kind == .invalidRequest)
        }
        #expect(seen.isEmpty)
    }

    @Test("waits as long as Retry-After asks, and not at all where it asks for too much")
    func retryAfter() async throws {
        let pauses = Pauses()
        let seen = try await FaultyService.run([
            .problem(503, "OVERLOADED", retryable: true, headers: ["Retry-After: 2"]),
            .problem(503, "OVERLOADED", retryable: true, headers: ["Retry-After: 31"]),
            .deposited,
        ]) { url in
            let client = try WalletClient(testing: url, pauses)
            let error = await #expect(throws: WalletError.self) {
                try await client.deposit(Self.money, into: "w-1")
            }
            #expect(error?.retryAfter == .seconds(31))
        }
        #expect(seen.count == 2)
        #expect(pauses.all == [.milliseconds(2_075)])
    }

    @Test("that is never answered ends in time")
    func silence() async throws {
        let seen = try await FaultyService.run([.silence {}, .silence {}, .silence {}]) { url in
            let client = try WalletClient(testing: url) {
                $0.attempts = 2
                $0.attemptTimeout = .milliseconds(500)
            }
            let error = await #expect(throws: WalletError.self) {
                try await client.deposit(Self.money, into: "w-1")
            }
            #expect(error?.code == .timedOut)
            #expect(error?.kind == .transport)
            #expect(error?.idempotencyKey != nil)
        }
        #expect(seen.count == 2)
    }

    @Test("ends at once when its task is cancelled, and is not sent again")
    func cancelled() async throws {
        let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
        let script: [FaultyService.Act] = [.silence { arrived.finish() }, .deposited]
        let seen = try await FaultyService.run(script) { url in
            let client = try WalletClient(testing: url)
            let task = Task { try await client.deposit(Self.money, into: "w-1") }
            for await _ in arrivals {}
            task.cancel()
            let error = await #expect(throws: WalletError.self) { try await task.value }
            #expect(error?.kind == .cancelled)
            #expect(error?.idempotencyKey != nil)
        }
        #expect(seen.count == 1)
    }

    @Test("to nobody fails as a matter of transport")
    func nobody() async throws {
        var url = ""
        _ = try await FaultyService.run([]) { url = $0 }
        let client = try WalletClient(testing: url) { $0.attempts = 2 }
        let error = await #expect(throws: WalletError.self) {
            try await client.deposit(Self.money, into: "w-1")
        }
        #expect(error?.code == .connectionFailed)
        #expect(error?.attempts == 2)
    }

    @Test("says who sends it, under which key, and for which version")
    func headers() async throws {
        let seen = try await FaultyService.run([.deposited]) { url in
            let client = try WalletClient(testing: url + "/")
            _ = try await client.deposit(
                Self.money, into: "w/1?", options: .init(ifVersion: 7))
        }
        #expect(seen.first?.line == "POST /v1/wallets/w%2F1%3F/deposits HTTP/1.1")
        #expect(seen.first?.headers["authorization"] == "Bearer wk_test")
        #expect(seen.first?.headers["if-match"] == "\"v7\"")
        #expect(seen.first?.headers["content-type"] == "application/json")
    }

    @Test("does not follow a redirect with its credential")
    func redirect() async throws {
        let seen = try await FaultyService.run([
            .status(307, "", headers: ["Location: http://127.0.0.1:1/elsewhere"])
        ]) { url in
            let client = try WalletClient(testing: url)
            let error = await #expect(throws: WalletError.self) {
                try await client.deposit(Self.money, into: "w-1")
            }
            #expect(error?.code == .unreadableAnswer)
            #expect(error?.status == 307)
        }
        #expect(seen.count == 1)
    }

    @Test(
        "is not sent where the URL or the token cannot be used",
        arguments: [
            ("wallet.internal", "t"), ("ftp://wallet.internal", "t"), ("http://", "t"),
            ("http://user:pass@host", "t"), ("http://host?x=1", "t"), ("http://host", ""),
            ("http://host", "two words"), ("http://host", "line\r\nInjected: yes"),
        ])
    func invalid(url: String, token: String) {
        let error = #expect(throws: WalletError.self) { try WalletClient(url: url, token: token) }
        #expect(error?.kind == .invalidRequest)
    }

    @Test("is not sent by a client that may not try even once")
    func noAttempts() {
        var configuration = WalletClient.Configuration()
        configuration.attempts = 0
        let error = #expect(throws: WalletError.self) {
            try WalletClient(url: "http://host", token: "t", configuration: configuration)
        }
        #expect(error?.code == .invalidRequest)
    }
}
