import LedgerEngine
import Testing
import WalletCore
import WalletTesting

@Suite struct BatchTests {
    /// A batch whose operations have the keys `KEY-0`, `KEY-1` …
    static func batch(_ commands: [Command], key: String, isAtomic: Bool) -> BatchSubmission {
        Fixture.batch(
            commands.enumerated().map { Fixture.submission($1, key: "\(key)-\($0)") }, key: key,
            isAtomic: isAtomic)
    }

    @Test(arguments: [true, false])
    func laterOperationsSpendWhatEarlierOnesBrought(_ isAtomic: Bool) async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(3, first: 100)
            let before = try await engine.head()
            let commits = engine.log.appends.count
            let batch = BatchTests.batch(
                [transfer(wallets[0], wallets[1], 100), transfer(wallets[1], wallets[2], 100)],
                key: "b", isAtomic: isAtomic)
            let outcome = try await engine.submit(batch)
            let events = try #require(outcome.outcomes).compactMap(\.event)
            #expect(events.map(\.position) == [before.position + 1, before.position + 2])
            #expect(!outcome.isReplay)
            let stamps = events.compactMap(\.cause.idempotency?.batch)
            #expect(stamps.map(\.index) == [0, 1])
            #expect(Set(stamps.map(\.key)) == [batch.key])
            #expect(stamps.allSatisfy { $0.size == 2 && $0.isAtomic == isAtomic })
            #expect(stamps.allSatisfy { $0.fingerprint == batch.fingerprint })
            #expect(try await engine.totals(of: wallets) == [0, 0, 100])
            #expect(engine.log.appends.count == commits + 1)
            _ = try await Verifier(store: engine.base).verify()
        }
    }

    @Test func independentOperationsAreRefusedOnTheirOwn() async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(2, first: 100)
            let commands = [
                transfer(wallets[0], wallets[1], 70), transfer(wallets[0], wallets[1], 70),
                transfer(wallets[0], wallets[0], 1), transfer(wallets[0], wallets[1], 30),
            ]
            let batch = BatchTests.batch(commands, key: "b", isAtomic: false)
            let first = try #require(try await engine.submit(batch).outcomes)
            #expect(first.map(\.code) == [nil, .insufficientFunds, .sameWallet, nil])
            #expect(try await engine.totals(of: wallets) == [0, 100])
            _ = try await engine.submit(deposit(wallets[0], 500), key: "fill")
            // Refusals are remembered under the operations' keys, alone or in the batch.
            let alone = try await engine.submit(commands[1], key: "b-1")
            #expect(alone.code == .insufficientFunds && alone.isReplay)
            let again = try await engine.submit(batch)
            #expect(again.isReplay)
            #expect(again.outcomes?.map(\.code) == first.map(\.code))
            #expect(again.outcomes?.map(\.event) == first.map(\.event))
            #expect(try await engine.totals(of: wallets) == [500, 100])
            _ = try await Verifier(store: engine.base).verify()
        }
    }

    @Test func userLearnsOnlyThatAnAtomicBatchFailed() async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(2, first: 100)
            let user = Actor.user(issuer: "https://issuer", subject: "ada")
            let commands = [1, 900].map { transfer(wallets[0], wallets[1], $0) }
            let batch = Fixture.batch(
                commands.enumerated().map {
                    Fixture.submission($1, key: "b-\($0)", by: user)
                }, key: "b", isAtomic: true, by: user)
            for _ in 1...2 {
                let refusal = try #require(try await engine.submit(batch).refusal)
                #expect(refusal == Refusal(.batchRefused))
            }
            #expect(try await engine.totals(of: wallets) == [100, 0])
        }
    }

    @Test func atomicBatchThatFailsLeavesNothingButItsRefusal() async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(2, first: 100)
            let before = try await engine.head()
            let batch = BatchTests.batch(
                [
                    transfer(wallets[0], wallets[1], 60), transfer(wallets[0], wallets[1], 60),
                    transfer(wallets[0], wallets[1], 40),
                ], key: "b", isAtomic: true)
            let refusal = try #require(try await engine.submit(batch).refusal)
            #expect(refusal.code == .batchRefused)
            #expect(refusal.operations.map { $0?.code } == [nil, .insufficientFunds, nil])
            #expect(try await engine.head() == before)
            #expect(try await engine.totals(of: wallets) == [100, 0])
            let append = try #require(engine.log.appends.last)
            #expect(append.segment == nil && append.keys.isEmpty && append.entries.isEmpty)
            #expect(append.refusals.map(\.key) == [batch.key])
            _ = try await engine.submit(deposit(wallets[0], 500), key: "fill")
            let again = try await engine.submit(batch)
            #expect(again.isReplay && again.refusal == refusal)
            // The operations' keys are free.
            let alone = try await engine.submit(transfer(wallets[0], wallets[1], 1), key: "b-0")
            #expect(alone.event != nil && !alone.isReplay)
            _ = try await Verifier(store: engine.base).verify()
        }
    }

    @Test func refusedBatchSurvivesItsBytes() throws {
        var refusal = Refusal(.batchRefused)
        refusal.operations = [
            nil, Refusal(.insufficientFunds, [.init("available", .integer(1))]), nil,
            Refusal(.sameWallet),
        ]
        #expect(Refusal(canonicalBytes: refusal.canonicalBytes) == refusal)
        var nested = Refusal(.batchRefused)
        nested.operations = [refusal]
        #expect(Refusal(canonicalBytes: nested.canonicalBytes) == nil)
    }

    // MARK: Keys

    @Test(arguments: [true, false])
    func keyOfABatchStandsForThatBatchAlone(_ isAtomic: Bool) async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(2, first: 100)
            let commands = [transfer(wallets[0], wallets[1], 1), deposit(wallets[0], 2)]
            func batch(_ key: String, _ commands: [Command], _ isAtomic: Bool) -> BatchSubmission {
                Fixture.batch(
                    commands.enumerated().map { Fixture.submission($1, key: "op-\($0)") },
                    key: key, isAtomic: isAtomic)
            }
            _ = try await engine.submit(batch("b", commands, isAtomic))
            let before = try await engine.head()
            let others = [
                batch("b", commands, !isAtomic), batch("b", commands.reversed(), isAtomic),
                batch("b", Array(commands.prefix(1)), isAtomic),
                batch("b", commands + [deposit(wallets[0], 2)], isAtomic),
                batch("b", [commands[0], deposit(wallets[0], 3)], isAtomic),
                batch("b", [], isAtomic), batch("fill-0", commands, isAtomic),
            ]
            for other in others {
                let outcome = try await engine.submit(other)
                #expect(outcome.refusal?.code == .idempotencyKeyReused && !outcome.isReplay)
            }
            #expect(
                try await engine.submit(deposit(wallets[0], 2), key: "b").code
                    == .idempotencyKeyReused)
            #expect(try await engine.submit(batch("b", commands, isAtomic)).isReplay)
            // Under another key the same operations have been done too, and are not done again.
            let renamed = try await engine.submit(batch("c", commands, isAtomic))
            #expect(!renamed.isReplay)
            #expect(renamed.outcomes?.allSatisfy(\.isReplay) == true)
            #expect(try await engine.head() == before)
            _ = try await Verifier(store: engine.base).verify()
        }
    }

    @Test(arguments: [true, false])
    func operationThatWasDoneAloneReplaysInTheBatch(_ isAtomic: Bool) async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(2, first: 100)
            let commands = [transfer(wallets[0], wallets[1], 10), deposit(wallets[1], 5)]
            let alone = try await engine.submit(commands[0], key: "b-0")
            let batch = BatchTests.batch(commands, key: "b", isAtomic: isAtomic)
            let outcomes = try #require(try await engine.submit(batch).outcomes)
            #expect(outcomes.map(\.isReplay) == [true, false])
            #expect(outcomes[0].event == alone.event)
            #expect(outcomes[1].event?.cause.idempotency?.batch?.index == 1)
            #expect(try await engine.totals(of: wallets) == [90, 15])
            let after = try await engine.submit(commands[1], key: "b-1")
            #expect(after.isReplay && after.event == outcomes[1].event)
            #expect(try await engine.submit(batch).isReplay)
            _ = try await Verifier(store: engine.base).verify()
        }
    }

    @Test func operationWhoseKeyMeansSomethingElseFailsTheAtomicBatchOnly() async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(1, first: 0)
            _ = try await engine.submit(deposit(wallets[0], 1), key: "taken")
            let operations = [
                Fixture.submission(deposit(wallets[0], 2), key: "taken"),
                Fixture.submission(deposit(wallets[0], 4), key: "free"),
            ]
            let atomic = try await engine.submit(
                Fixture.batch(operations, key: "atomic", isAtomic: true))
            #expect(
                atomic.refusal?.operations.map { $0?.code } == [.idempotencyKeyReused, nil])
            #expect(try await engine.totals(of: wallets) == [1])
            let each = try await engine.submit(
                Fixture.batch(operations, key: "each", isAtomic: false))
            #expect(each.outcomes?.map(\.code) == [.idempotencyKeyReused, nil])
            #expect(try await engine.totals(of: wallets) == [5])
        }
    }

    @Test func batchWithoutAnEventIsKnownAllTheSame() async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(2, first: 10)
            let batch = BatchTests.batch(
                [transfer(wallets[0], wallets[1], 11), withdrawal(wallets[1], 1)], key: "b",
                isAtomic: false)
            let first = try await engine.submit(batch)
            #expect(first.outcomes?.map(\.code) == [.insufficientFunds, .insufficientFunds])
            _ = try await engine.submit(deposit(wallets[0], 100), key: "fill")
            let again = try await engine.submit(batch)
            #expect(again.isReplay)
            #expect(again.outcomes?.map(\.code) == [.insufficientFunds, .insufficientFunds])
            let other = BatchTests.batch([deposit(wallets[0], 1)], key: "b", isAtomic: false)
            #expect(try await engine.submit(other).refusal?.code == .idempotencyKeyReused)
            #expect(
                try await engine.submit(deposit(wallets[0], 1), key: "b").code
                    == .idempotencyKeyReused)
        }
    }

    /// What does not exist yet is not remembered, so the batch is finished when it is sent again.
    @Test func batchIsFinishedWhenItIsSentAgain() async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(2, first: 10)
            func move(_ version: Int64) -> BatchSubmission {
                Fixture.batch(
                    [
                        Fixture.submission(
                            transfer(wallets[0], wallets[1], 1), key: "op", ifMatch: version)
                    ], key: "b", isAtomic: false)
            }
            let first = try await engine.submit(move(3))
            #expect(first.outcomes?.map(\.code) == [.versionMismatch])
            _ = try await engine.submit(deposit(wallets[0], 1), key: "raise")
            let second = try await engine.submit(move(3))
            #expect(second.isReplay)
            #expect(second.outcomes?.first?.event != nil)
            _ = try await Verifier(store: engine.base).verify()
            #expect(try await engine.submit(move(3)).outcomes?.first?.isReplay == true)
            #expect(try await engine.totals(of: wallets) == [10, 1])
        }
    }

    @Test(arguments: [true, false])
    func sameBatchTwiceInOneTransactionHappensOnce(_ isAtomic: Bool) async throws {
        let gate = Gate(isOpen: false)
        let clock = ManualClock()
        let base = InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        var opened: [WalletID] = []
        try await Engine.run(on: base, clock: clock) { opened = try await $0.wallets(2, first: 9) }
        let wallets = opened
        try await Engine.run(on: base, clock: clock, gate: gate) { engine in
            let batch = BatchTests.batch(
                [transfer(wallets[0], wallets[1], 4), transfer(wallets[0], wallets[1], 5)],
                key: "b", isAtomic: isAtomic)
            let results = try await engine.submitTogether(
                [batch, batch, batch], behind: .freezeWallet(wallets[1]), gate: gate)
            let outcomes = try results.map { try $0.get() }
            #expect(outcomes.map(\.isReplay) == [false, true, true])
            for outcome in outcomes {
                #expect(outcome.outcomes?.map(\.event) == outcomes[0].outcomes?.map(\.event))
            }
            #expect(engine.log.appends.count == 2)
            #expect(try await engine.totals(of: wallets) == [0, 9])
            _ = try await Verifier(store: base).verify()
        }
    }

    // MARK: Requests that are no batch, operations that are no command

    @Test func batchHasOneToAThousandOperationsWithKeysOfTheirOwn() async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(1, first: 0)
            let operations = (0...1_000).map {
                Fixture.submission(deposit(wallets[0], 1), key: "op-\($0)")
            }
            let before = try await engine.head()
            let refused = [
                [], operations, [operations[0], operations[0]],
                [Fixture.submission(deposit(wallets[0], 1), key: "b")],
            ]
            for operations in refused {
                let batch = Fixture.batch(operations, key: "b", isAtomic: false)
                #expect(try await engine.submit(batch).refusal?.code == .validationFailed)
            }
            #expect(try await engine.head() == before)
            let largest = Fixture.batch(
                Array(operations.dropLast()), key: "b", isAtomic: true)
            let outcomes = try #require(try await engine.submit(largest).outcomes)
            #expect(outcomes.count == 1_000 && outcomes.allSatisfy { $0.event != nil })
            #expect(try await engine.totals(of: wallets) == [1_000])
            let again = try await engine.submit(largest)
            #expect(again.isReplay && again.outcomes?.map(\.event) == outcomes.map(\.event))
        }
    }

    @Test func operationThatIsNoCommandIsRefusedWhereItStands() async throws {
        try await Engine.run { engine in
            let wallets = try await engine.wallets(1, first: 0)
            let operations = [
                Fixture.submission(deposit(wallets[0], 1), key: "good"),
                Submission(
                    .failure(Refusal(.amountOutOfRange)), command: .deposit, by: Fixture.shop,
                    idempotencyKey: "bad", requestID: "r", salt: { [] }),
            ]
            let atomic = try await engine.submit(
                Fixture.batch(operations, key: "atomic", isAtomic: true))
            #expect(atomic.refusal?.operations.map { $0?.code } == [nil, .amountOutOfRange])
            let each = Fixture.batch(operations, key: "each", isAtomic: false)
            let first = try await engine.submit(each)
            #expect(first.outcomes?.map(\.code) == [nil, .amountOutOfRange])
            #expect(try await engine.submit(each).isReplay)
            #expect(try await engine.totals(of: wallets) == [1])
        }
    }

    /// Events keep it. Computed by another program from the description of the bytes.
    @Test func fingerprintOfABatchIsFixed() {
        let wallet = WalletID(high: 1, low: 2)
        let batch = Fixture.batch(
            [Fixture.submission(deposit(wallet, 5), key: "op")], key: "b", isAtomic: true)
        #expect(
            batch.fingerprint?.description
                == "b7d74c4008ad9aa43a1f47461fd575204f4f446520e26448b08b27713ed55ed4")
    }
}

extension Engine {
    func submit(_ batch: BatchSubmission) async throws(SubmissionError) -> BatchOutcome {
        try await sequencer.submit(batch).outcome
    }

    /// Opens wallets, the first of them with an amount in it.
    func wallets(_ count: Int, first amount: Int64) async throws -> [WalletID] {
        var wallets: [WalletID] = []
        for index in 0..<count {
            wallets.append(try await wallet(amount: index == 0 ? amount : 0))
        }
        return wallets
    }

    func totals(of wallets: [WalletID]) async throws -> [Int64?] {
        try await base.read { snapshot in
            try wallets.map { try snapshot.wallets([$0]).first?.total }
        }
    }

    /// Submits batches so that they wait in this order behind a command that is being committed,
    /// and lets them go when all of them wait.
    func submitTogether(
        _ batches: [BatchSubmission], behind first: Command, gate: Gate
    ) async throws -> [Result<BatchOutcome, SubmissionError>] {
        try await withThrowingTaskGroup(
            of: (Int, Result<BatchOutcome, SubmissionError>)?.self
        ) { group in
            group.addTask {
                _ = try await submit(first, key: "first")
                return nil
            }
            try await eventually { gate.waiters == 1 }
            var waiting = 0
            for (index, batch) in batches.enumerated() {
                group.addTask { (index, await result(of: batch)) }
                waiting += try batch.request.get().count
                try await eventually { sequencer.statistics.queueDepth == waiting }
            }
            gate.open()
            var results: [Int: Result<BatchOutcome, SubmissionError>] = [:]
            for try await case let (index, result)? in group { results[index] = result }
            return batches.indices.compactMap { results[$0] }
        }
    }

    func result(of batch: BatchSubmission) async -> Result<BatchOutcome, SubmissionError> {
        do throws(SubmissionError) {
            return .success(try await submit(batch))
        } catch {
            return .failure(error)
        }
    }
}
