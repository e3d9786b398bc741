import LedgerEngine
import Testing
import WalletCore
import WalletTesting

@Suite struct IdempotencyTests {
    private static let day: Int64 = 86_400_000_000

    @Test func knownKeyIsAnsweredAgainWithItsText() async throws {
        try await Engine.run { engine in
            let wallet = try await engine.wallet(amount: 10)
            let text = FreeText(description: "for the order", metadata: ["order": "7"])
            let first = try await engine.submit(deposit(wallet, 5), key: "k", text: text)
            _ = try await engine.submit(.freezeWallet(wallet), key: "freeze")
            let again = try await engine.submit(deposit(wallet, 5), key: "k", text: text)
            #expect(!first.isReplay && again.isReplay)
            #expect(first.event == again.event)
            guard case .recorded(let outcome) = again else {
                throw Engine.Unexpected(outcome: again)
            }
            #expect(outcome.text == text)
            #expect(try await engine.total(of: wallet) == 15)
        }
    }

    @Test func keyOfAnotherRequestIsRefused() async throws {
        try await Engine.run { engine in
            let wallet = try await engine.wallet(amount: 10)
            _ = try await engine.submit(deposit(wallet, 5), key: "k")
            let others: [Submission] = [
                Fixture.submission(deposit(wallet, 6), key: "k"),
                Fixture.submission(withdrawal(wallet, 5), key: "k"),
                Fixture.submission(deposit(wallet, 5, reference: "r"), key: "k"),
                Fixture.submission(
                    deposit(wallet, 5), key: "k", text: FreeText(description: "text")),
                Fixture.submission(deposit(wallet, 5), key: "k", ifMatch: 2),
            ]
            for other in others {
                let outcome = try await engine.sequencer.submit(other).outcome
                #expect(outcome.code == .idempotencyKeyReused)
                #expect(!outcome.isReplay)
            }
            #expect(try await engine.submit(deposit(wallet, 5), key: "k").isReplay)
            #expect(try await engine.total(of: wallet) == 15)
        }
    }

    @Test func keysOfDifferentCallersAreDifferent() async throws {
        try await Engine.run { engine in
            let source = try await engine.wallet("shop")
            let wallet = try await engine.wallet(amount: 0)
            let transfer = Command.transfer(
                from: source, to: wallet, amount: Fixture.amount(1), currency: nil,
                reference: nil)
            let callers: [Actor] = [
                Fixture.shop, .apiKey(id: "key_2", principal: "depot"),
                .user(issuer: "ab", subject: "shop"), .user(issuer: "a", subject: "shop"),
                .user(issuer: "", subject: "shop"),
            ]
            for caller in callers {
                let outcome = try await engine.submit(transfer, key: "k", by: caller)
                #expect(outcome.event != nil && !outcome.isReplay)
            }
            // A new key of the same principal is the same caller.
            let renewed = Actor.apiKey(id: "key_99", principal: "shop")
            #expect(try await engine.submit(transfer, key: "k", by: renewed).isReplay)
            #expect(try await engine.total(of: wallet) == Int64(callers.count))
        }
    }

    @Test func sameKeyTwiceInOneBatchHappensOnce() async throws {
        let gate = Gate(isOpen: false)
        let currency = Fixture.currency("EUR")
        let opening = Command.openWallet(userID: "ada", currency: currency)
        try await Engine.run(gate: gate) { engine in
            let outcomes = try await engine.submitTogether(
                [
                    Fixture.submission(opening, key: "k"),
                    Fixture.submission(opening, key: "k"),
                    Fixture.submission(.openWallet(userID: "bob", currency: currency), key: "k"),
                    Fixture.submission(opening, key: "k"),
                ], behind: Fixture.submission(opening, key: "first"), gate: gate
            ).map { try $0.get() }
            #expect(outcomes.map(\.isReplay) == [false, true, false, true])
            #expect(outcomes.map(\.code) == [nil, nil, .idempotencyKeyReused, nil])
            #expect(outcomes[0].event == outcomes[1].event)
            #expect(outcomes[0].event == outcomes[3].event)
            #expect(try await engine.head().position == 2)
        }
    }

    @Test func sameRefusedKeyTwiceInOneBatchIsRememberedOnce() async throws {
        let gate = Gate(isOpen: false)
        let clock = ManualClock()
        let base = InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        var opened: WalletID?
        try await Engine.run(on: base, clock: clock) { opened = try await $0.wallet(amount: 1) }
        let wallet = try #require(opened)
        try await Engine.run(on: base, clock: clock, gate: gate) { engine in
            let outcomes = try await engine.submitTogether(
                [
                    Fixture.submission(withdrawal(wallet, 2), key: "k"),
                    Fixture.submission(deposit(wallet, 5), key: "fill"),
                    Fixture.submission(withdrawal(wallet, 2), key: "k"),
                ],
                behind: Fixture.submission(.freezeWallet(wallet), key: "first"), gate: gate
            ).map { try $0.get() }
            #expect(outcomes.map(\.isReplay) == [false, false, true])
            #expect(outcomes.map(\.code) == [.walletFrozen, nil, .walletFrozen])
        }
    }

    // MARK: Refusals

    @Test func refusalIsRememberedAlthoughItWouldSucceedNow() async throws {
        try await Engine.run { engine in
            let wallet = try await engine.wallet(amount: 10)
            let refused = try await engine.submit(withdrawal(wallet, 50), key: "k")
            _ = try await engine.submit(deposit(wallet, 100), key: "fill")
            let again = try await engine.submit(withdrawal(wallet, 50), key: "k")
            #expect(refused.code == .insufficientFunds && !refused.isReplay)
            #expect(again.code == .insufficientFunds && again.isReplay)
            guard case .refused(let first) = refused, case .refused(let second) = again else {
                throw Engine.Unexpected(outcome: again)
            }
            #expect(first.refusal == second.refusal)
            #expect(second.requestID == "request-of-k")
            #expect(
                try await engine.submit(withdrawal(wallet, 51), key: "k").code
                    == .idempotencyKeyReused)
        }
    }

    @Test func refusalOfWhatDoesNotExistYetIsNotRemembered() async throws {
        try await Engine.run { engine in
            let wallet = try await engine.wallet(amount: 10)
            let deposits = try await engine.submit(deposit(wallet, 1, reference: "r"), key: "a")
            #expect(deposits.event != nil)
            let before = try await engine.head()
            let unknown = WalletID(high: 1, low: 2)
            for _ in 0..<2 {
                let missing = try await engine.submit(deposit(unknown, 1), key: "k")
                #expect(missing.code == .walletNotFound && !missing.isReplay)
                let used = try await engine.submit(deposit(wallet, 1, reference: "r"), key: "u")
                #expect(used.code == .referenceAlreadyUsed && !used.isReplay)
            }
            #expect(try await engine.head() == before)
            #expect(try await engine.submit(deposit(wallet, 1), key: "k").event != nil)
        }
    }

    @Test(arguments: [(days: Int64(7), isKept: true), (days: Int64(9), isKept: false)])
    func refusalIsForgottenAfterItsTime(_ days: Int64, _ isKept: Bool) async throws {
        let clock = ManualClock()
        let base = InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        var opened: WalletID?
        try await Engine.run(on: base, clock: clock) { engine in
            let wallet = try await engine.wallet(amount: 10)
            let refused = try await engine.submit(withdrawal(wallet, 50), key: "k")
            #expect(refused.code == .insufficientFunds)
            opened = wallet
        }
        let wallet = try #require(opened)
        clock.advance(byMicroseconds: days * IdempotencyTests.day)
        // The first batch of a sequencer forgets what is old.
        try await Engine.run(on: base, clock: clock) { engine in
            _ = try await engine.submit(deposit(wallet, 100), key: "fill")
            let again = try await engine.submit(withdrawal(wallet, 50), key: "k")
            #expect((again.code == .insufficientFunds) == isKept)
            #expect(again.isReplay == isKept)
            #expect(try await engine.total(of: wallet) == (isKept ? 110 : 60))
        }
    }

    @Test func refusalsAreForgottenFasterThanTheyCome() async throws {
        let clock = ManualClock()
        let base = InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        let old = (0..<2_500).map { index in
            RefusalRecord(
                key: .sha256(Array("old \(index)".utf8)), fingerprint: .zero,
                recordedAt: clock.now, requestID: "r", refusal: Refusal(.insufficientFunds))
        }
        var append = Append(head: try await base.read { try $0.head() })
        append.refusals = old
        let written = append
        try await base.write { try $0.append(written) }
        clock.advance(byMicroseconds: 9 * IdempotencyTests.day)
        try await Engine.run(on: base, clock: clock) { engine in
            var left: [Int] = []
            for _ in 0..<2 {
                _ = try await engine.wallet(amount: 10)
                left.append(try await base.read { try $0.refusals(after: nil, limit: 3_000) }.count)
            }
            // Two transactions each, a thousand at a time, without waiting for the next turn.
            #expect(left == [500, 0])
        }
    }

    @Test func requestThatIsNoCommandIsRefusedAfterItsKey() async throws {
        try await Engine.run { engine in
            let wallet = try await engine.wallet(amount: 10)
            _ = try await engine.submit(deposit(wallet, 5), key: "known")
            func malformed(_ key: String) -> Submission {
                Submission(
                    .failure(Refusal(.amountOutOfRange)), command: .deposit, by: Fixture.shop,
                    idempotencyKey: key, requestID: "r", salt: { [] })
            }
            let before = try await engine.head()
            let unknown = try await engine.sequencer.submit(malformed("new")).outcome
            #expect(unknown.code == .amountOutOfRange)
            let known = try await engine.sequencer.submit(malformed("known")).outcome
            #expect(known.code == .idempotencyKeyReused)
            #expect(try await engine.head() == before)
            #expect(try await engine.submit(deposit(wallet, 5), key: "new").event != nil)
        }
    }
}
