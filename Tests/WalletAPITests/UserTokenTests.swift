import HTTPTypes
import Testing
import WalletAPI
import WalletCore
import WalletTesting

@Suite("A user's token", .timeLimit(.minutes(1)))
struct UserTokenTests {
    private func status(_ service: Service, _ token: String) async throws -> Int {
        try await service.send(.get, "/v1/users/alice/wallets", secret: token).status
    }

    @Test("is good until it expires, with some allowance, and remembered no longer")
    func expiry() async throws {
        let issuer = TestIssuer()
        try await Service.run(issuer: issuer) { service in
            let token = try issuer.token("alice", expiring: 60)
            #expect(try await status(service, token) == 200)
            for (microseconds, expected): (Int64, Int) in [
                (59_000_000, 200), (1_000_000, 200), (4_999_999, 200), (1, 401), (1, 401),
            ] {
                service.clock.advance(byMicroseconds: microseconds)
                #expect(try await status(service, token) == expected)
            }
        }
    }

    @Test("of a new key is good at once; one of a key that is gone is good no more")
    func rotation() async throws {
        var limits = KeyRing.Limits()
        limits.spacing = .zero
        let issuer = TestIssuer(limits: limits)
        try await Service.run(issuer: issuer) { service in
            let old = try issuer.token("alice")
            #expect(try await status(service, old) == 200)
            let early = try issuer.token("alice", scope: "read")
            issuer.publisher.replaceKeys(by: "second")
            let new = try issuer.token("alice", kid: "second")
            #expect(try await status(service, new) == 200)
            #expect(try await status(service, early) == 401)
        }
    }

    @Test("that names an unknown key causes one fetch at a time, spaced, however many there are")
    func flood() async throws {
        var limits = KeyRing.Limits()
        limits.spacing = .seconds(3_600)
        let issuer = TestIssuer(limits: limits)
        try await Service.run(issuer: issuer) { service in
            let known = try issuer.token("alice")
            #expect(try await status(service, known) == 200)
            for index in 0..<200 {
                let madeUp = try issuer.token("alice", kid: "k\(index)")
                #expect(try await status(service, madeUp) == 401)
            }
            #expect(issuer.publisher.fetches == 1)
        }
    }

    @Test("waits with all the others for the one fetch that is under way")
    func crowd() async throws {
        var limits = KeyRing.Limits()
        limits.spacing = .seconds(3_600)
        let issuer = TestIssuer(limits: limits, delay: .milliseconds(50))
        try await Service.run(issuer: issuer) { service in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<100 {
                    let kid = index % 2 == 0 ? "first" : "k\(index)"
                    let token = try issuer.token("alice", kid: kid, expiring: 500 + Int64(index))
                    group.addTask { try await status(service, token) }
                }
                let statuses = try await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
                #expect(statuses == [200: 50, 401: 50])
            }
            #expect(issuer.publisher.fetches == 1)
        }
    }

    @Test("is good while keys cannot be fetched, for a bounded time; then nobody can tell")
    func outage() async throws {
        var limits = KeyRing.Limits()
        limits.interval = .milliseconds(20)
        limits.retry = .milliseconds(20)
        let trust = limits.trust
        let issuer = TestIssuer(limits: limits)
        try await Service.run(issuer: issuer) { service in
            #expect(try await status(service, issuer.token("alice", expiring: 100)) == 200)
            issuer.publisher.setReachable(false)
            let failures = issuer.publisher.failures
            while issuer.publisher.failures < failures + 2 {
                try await Task.sleep(for: .milliseconds(2))
            }
            #expect(try await status(service, issuer.token("alice", expiring: 101)) == 200)
            issuer.publisher.advance(by: trust)
            let answer = try await service.send(
                .get, "/v1/users/alice/wallets", secret: issuer.token("alice", expiring: 102))
            #expect(answer.status == 503)
            #expect(answer.code == "READS_UNAVAILABLE")
            #expect(try await service.get("/v1/users/alice/wallets").status == 200)
            issuer.publisher.setReachable(true)
            let fetches = issuer.publisher.fetches
            while issuer.publisher.fetches < fetches + 2 {
                try await Task.sleep(for: .milliseconds(2))
            }
            #expect(try await status(service, issuer.token("alice", expiring: 103)) == 200)
        }
    }

    @Test("is taken for an API key where there are no users")
    func noUsers() async throws {
        let issuer = TestIssuer()
        try await Service.run { service in
            let token = try issuer.token("alice")
            #expect(try await status(service, token) == 401)
        }
        #expect(issuer.publisher.fetches == 0)
    }

    @Test("cannot be told from a key by anything but its form")
    func form() throws {
        let token = try TestIssuer().token("alice")
        #expect(BearerToken(token).isUserToken)
        for other in ["", "wk_0123", "e.y", "e..", token + ".x", "x" + token] {
            #expect(BearerToken(other).isUserToken == (other == "e.."), "\(other.prefix(20))")
        }
    }
}

@Suite("What was found out lately", .timeLimit(.minutes(1)))
struct RecentCacheTests {
    private func hash(_ number: Int) -> Digest { Digest(UInt64(number), 0, 0, 0) }

    @Test("is kept for its time, and of a bounded number")
    func bounded() {
        let now = ContinuousClock.now
        var cache = RecentCache<Int>(capacity: 100)
        for number in 0..<10_000 {
            cache.remember(number, of: hash(number), until: now + .seconds(1))
            #expect(cache.count <= 100)
            #expect(cache.value(of: hash(number), at: now) == number)
        }
        // The newest half is always there.
        for number in 9_950..<10_000 { #expect(cache.wasKnown(hash(number))) }
        #expect(!cache.wasKnown(hash(0)))
        #expect(cache.value(of: hash(9_999), at: now + .seconds(1)) == nil)
        #expect(cache.wasKnown(hash(9_999)))
        cache.forget(hash(9_999))
        #expect(!cache.wasKnown(hash(9_999)))
    }

    @Test("of one thing is replaced, not kept twice")
    func replaced() {
        let now = ContinuousClock.now
        var cache = RecentCache<Int>(capacity: 2)
        for number in 0..<10 {
            cache.remember(number, of: hash(1), until: now + .seconds(1))
        }
        #expect(cache.count == 1)
        #expect(cache.value(of: hash(1), at: now) == 9)
    }
}

@Suite("A turnstile", .timeLimit(.minutes(1)))
struct TurnstileTests {
    @Test("lets a few in, keeps some waiting, and sends the rest away")
    func limits() async throws {
        let turnstile = Turnstile(places: 2, line: 3)
        let gate = Gate(isOpen: false)
        let passed = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<5 {
                group.addTask { try await turnstile.pass { await gate.pass() } != nil }
            }
            while turnstile.crowd != (2, 3) { try await Task.sleep(for: .milliseconds(2)) }
            for _ in 0..<10 { #expect(try await turnstile.pass { true } == nil) }
            gate.open()
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(passed == 5)
        #expect(turnstile.crowd == (0, 0))
        #expect(try await turnstile.pass { 7 } == 7)
    }

    @Test("gives the place on when what was done inside has failed")
    func failure() async throws {
        struct Failure: Error {}
        let turnstile = Turnstile(places: 1, line: 0)
        for _ in 0..<3 {
            await #expect(throws: Failure.self) {
                try await turnstile.pass { throw Failure() }
            }
        }
        #expect(turnstile.crowd == (0, 0))
    }
}
