import LedgerEngine
import Testing
import WalletCore
import WalletTesting

@Suite struct SequencerFaultTests {
    private let first = Fixture.submission(
        .openWallet(userID: "first", currency: Fixture.currency("EUR")), key: "first")

    // MARK: Commits of unknown outcome

    @Test(arguments: [FaultyLedgerStore.Fault.lostAfterCommit, .lostBeforeCommit])
    func unknownCommitHappensOnceAndIsNoReplay(_ fault: FaultyLedgerStore.Fault) async throws {
        try await Engine.run { engine in
            let wallet = try await engine.wallet(amount: 10)
            let before = try await engine.head()
            engine.log.expect([fault])
            let outcome = try await engine.submit(deposit(wallet, 5), key: "once")
            #expect(outcome.event?.position == before.position + 1)
            #expect(!outcome.isReplay)
            #expect(engine.sequencer.statistics.unknownCommits == 1)
            #expect(try await engine.head().position == before.position + 1)
            #expect(try await engine.total(of: wallet) == 15)
            let again = try await engine.submit(deposit(wallet, 5), key: "once")
            #expect(again.isReplay && again.event == outcome.event)
            _ = try await Verifier(store: engine.base).verify()
        }
    }

    @Test func unknownCommitOfARefusalIsNoReplay() async throws {
        try await Engine.run { engine in
            let wallet = try await engine.wallet(amount: 10)
            engine.log.expect([.lostAfterCommit])
            let outcome = try await engine.submit(withdrawal(wallet, 50), key: "once")
            #expect(outcome.code == .insufficientFunds && !outcome.isReplay)
            #expect(try await engine.submit(withdrawal(wallet, 50), key: "once").isReplay)
        }
    }

    /// Looking a lost batch up again finds all its keys; only those that it did itself are new.
    @Test(arguments: [
        [FaultyLedgerStore.Fault.lostAfterCommit], [.lostBeforeCommit],
        [.lostAfterCommit, .lostAfterCommit], [.lostAfterCommit, .unavailable],
        [.lostBeforeCommit, .lostAfterCommit, .lostBeforeCommit],
    ])
    func unknownCommitTellsReplaysFromWhatItDidItself(
        _ faults: [FaultyLedgerStore.Fault]
    ) async throws {
        let gate = Gate(isOpen: false)
        let clock = ManualClock()
        let base = InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        var known: WalletID?
        try await Engine.run(on: base, clock: clock) { engine in
            let wallet = try await engine.wallet(amount: 10)
            _ = try await engine.submit(deposit(wallet, 1), key: "earlier")
            known = wallet
        }
        let wallet = try #require(known)
        try await Engine.run(on: base, clock: clock, gate: gate, faults: [nil] + faults) { engine in
            let outcomes = try await engine.submitTogether(
                [
                    Fixture.submission(deposit(wallet, 1), key: "earlier"),
                    Fixture.submission(deposit(wallet, 2), key: "new"),
                    Fixture.submission(deposit(wallet, 2), key: "new"),
                    Fixture.submission(deposit(wallet, 4), key: "other"),
                ], behind: first, gate: gate
            ).map { try $0.get() }
            #expect(outcomes.map(\.isReplay) == [true, false, true, false])
            #expect(outcomes[1].event == outcomes[2].event)
            #expect(try await engine.total(of: wallet) == 17)
            _ = try await Verifier(store: base).verify()
        }
    }

    @Test func commitThatStaysUnknownTimesOutAndTheKeySettlesIt() async throws {
        var limits = Sequencer.Limits()
        limits.resolveAttempts = 3
        try await Engine.run(limits: limits) { engine in
            let wallet = try await engine.wallet(amount: 10)
            engine.log.expect([.lostAfterCommit, .unavailable, .lostBeforeCommit])
            await #expect(throws: SubmissionError.timedOut) {
                try await engine.submit(deposit(wallet, 5), key: "once")
            }
            #expect(engine.sequencer.statistics.unknownCommits == 2)
            let settled = try await engine.submit(deposit(wallet, 5), key: "once")
            #expect(settled.isReplay)
            #expect(try await engine.total(of: wallet) == 15)
        }
    }

    // MARK: A store that cannot write

    @Test func unavailableStoreFailsTheBatchAndChangesNothing() async throws {
        let gate = Gate(isOpen: false)
        let clock = ManualClock()
        let base = InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        try await Engine.run(
            on: base, clock: clock, gate: gate, faults: [nil, .unavailable]
        ) { engine in
            let submissions = (0..<5).map { index in
                Fixture.submission(
                    .openWallet(userID: "ada", currency: Fixture.currency("EUR")),
                    key: "key-\(index)")
            }
            let results = try await engine.submitTogether(submissions, behind: first, gate: gate)
            for result in results {
                #expect(throws: SubmissionError.unavailable) { try result.get() }
            }
            #expect(try await engine.head().position == 1)
            #expect(!engine.sequencer.statistics.isHealthy)
            #expect(engine.sequencer.statistics.failures == 1)
            for submission in submissions {
                #expect(try await !engine.sequencer.submit(submission).outcome.isReplay)
            }
            #expect(engine.sequencer.statistics.isHealthy)
            #expect(try await engine.head().position == 6)
        }
    }

    // MARK: A command that the database refuses

    @Test(arguments: [0, 3, 6])
    func rejectedCommandIsFoundAndItsNeighboursSucceed(_ culprit: Int) async throws {
        let gate = Gate(isOpen: false)
        try await Engine.run(gate: gate) { engine in
            let submissions = (0..<7).map { index in
                Fixture.submission(
                    .openWallet(userID: "user-\(index)", currency: Fixture.currency("EUR")),
                    key: "key-\(index)")
            }
            engine.log.reject { append in
                append.opened.contains { $0.userID == "user-\(culprit)" }
            }
            let results = try await engine.submitTogether(submissions, behind: first, gate: gate)
            for (index, result) in results.enumerated() {
                if index == culprit {
                    #expect(throws: SubmissionError.rejected) { try result.get() }
                } else {
                    #expect(try result.get().event != nil)
                }
            }
            #expect(engine.sequencer.statistics.failures == 1)
            #expect(try await engine.head().position == 7)
            let wallets = try await engine.base.read { try $0.wallets(after: nil, limit: 99) }
            #expect(
                Set(wallets.map(\.userID))
                    == Set((0..<7).filter { $0 != culprit }.map { "user-\($0)" } + ["first"]))
            _ = try await Verifier(store: engine.base).verify()
        }
    }

    @Test func storeThatRefusesEverythingFailsEachCommandOnItsOwn() async throws {
        let gate = Gate(isOpen: false)
        try await Engine.run(gate: gate) { engine in
            engine.log.reject { $0.keys.count + $0.entries.count > 0 && $0.head.position > 1 }
            let results = try await engine.submitTogether(
                (0..<5).map { index in
                    Fixture.submission(
                        .openWallet(userID: "ada", currency: Fixture.currency("EUR")),
                        key: "key-\(index)")
                }, behind: first, gate: gate)
            for result in results {
                #expect(throws: SubmissionError.rejected) { try result.get() }
            }
            #expect(try await engine.head().position == 1)
        }
    }
}
