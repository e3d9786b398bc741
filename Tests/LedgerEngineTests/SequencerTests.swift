import LedgerEngine
import Testing
import WalletCore
import WalletTesting

@Suite struct SequencerTests {
    private func openings(_ count: Int) -> [Submission] {
        (0..<count).map { index in
            Fixture.submission(
                .openWallet(userID: "user-\(index)", currency: Fixture.currency("EUR")),
                key: "key-\(index)")
        }
    }

    private let first = Fixture.submission(
        .openWallet(userID: "first", currency: Fixture.currency("EUR")), key: "first")

    /// The sizes of the commits when so many commands wait behind one that is being committed.
    private func commitSizes(
        _ submissions: [Submission], _ limits: Sequencer.Limits
    ) async throws -> [Int] {
        let gate = Gate(isOpen: false)
        var sizes: [Int] = []
        try await Engine.run(limits: limits, gate: gate) { engine in
            let results = try await engine.submitTogether(submissions, behind: first, gate: gate)
            for result in results { #expect(try result.get().event != nil) }
            sizes = engine.log.appends.map(\.keys.count)
            let statistics = engine.sequencer.statistics
            #expect(statistics.batches == Int64(sizes.count))
            #expect(statistics.commands == Int64(submissions.count + 1))
            #expect(statistics.queueDepth == 0)
            #expect(try await engine.head().position == Int64(submissions.count + 1))
            _ = try await Verifier(store: engine.base).verify()
        }
        return sizes
    }

    // MARK: Batches

    @Test func batchFillsWhileAnotherIsCommitted() async throws {
        #expect(try await commitSizes(openings(10), Sequencer.Limits()) == [1, 10])
    }

    @Test func batchHasNoMoreCommandsThanTheLimit() async throws {
        var limits = Sequencer.Limits()
        limits.maxBatch = 4
        #expect(try await commitSizes(openings(10), limits) == [1, 4, 4, 2])
    }

    @Test func batchHasNoMoreBytesThanTheLimit() async throws {
        var limits = Sequencer.Limits()
        limits.maxBatchBytes = 2_500
        #expect(try await commitSizes(openings(5), limits) == [1, 2, 2, 1])
    }

    @Test func commandThatIsLargerThanABatchGoesAlone() async throws {
        var limits = Sequencer.Limits()
        limits.maxBatchBytes = 2_500
        var submissions = openings(4)
        submissions[1] = Fixture.submission(
            .openWallet(userID: "ada", currency: Fixture.currency("EUR")), key: "large",
            text: FreeText(
                description: String(repeating: "d", count: 2_000),
                metadata: ["key": String(repeating: "v", count: 2_000)]))
        #expect(try await commitSizes(submissions, limits) == [1, 1, 1, 2])
    }

    @Test func outcomesAreInTheOrderInWhichCommandsCame() async throws {
        let gate = Gate(isOpen: true)
        try await Engine.run(gate: gate) { engine in
            let wallet = try await engine.wallet(amount: 0)
            try await confirmOrder(engine, wallet)
        }
    }

    /// A later command of a batch sees what the earlier ones did, and refusals harm nobody.
    private func confirmOrder(_ engine: Engine, _ wallet: WalletID) async throws {
        let gate = Gate(isOpen: false)
        try await Engine.run(on: engine.base, clock: engine.clock, gate: gate) { engine in
            let commands = [
                withdrawal(wallet, 1), deposit(wallet, 5), withdrawal(wallet, 6),
                withdrawal(wallet, 5), withdrawal(wallet, 1),
            ]
            let outcomes = try await engine.submitTogether(
                commands.enumerated().map {
                    Fixture.submission($0.element, key: "order-\($0.offset)")
                }, behind: first, gate: gate
            ).map { try $0.get() }
            #expect(engine.log.appends.map(\.keys.count) == [1, 2])
            #expect(
                outcomes.map(\.code) == [
                    .insufficientFunds, nil, .insufficientFunds, nil, .insufficientFunds,
                ])
            #expect(try await engine.total(of: wallet) == 0)
            _ = try await Verifier(store: engine.base).verify()
        }
    }

    // MARK: The queue

    @Test func fullQueueShedsAtOnce() async throws {
        var limits = Sequencer.Limits()
        limits.queueLimit = 3
        try await expectShedding(limits)
    }

    @Test func queueIsFullByBytesToo() async throws {
        var limits = Sequencer.Limits()
        limits.queueBytesLimit = 3_700
        try await expectShedding(limits)
    }

    /// Three wait behind one that is being committed; the fourth must be told at once.
    private func expectShedding(_ limits: Sequencer.Limits) async throws {
        let gate = Gate(isOpen: false)
        try await Engine.run(limits: limits, gate: gate) { engine in
            try await withThrowingTaskGroup(of: Outcome.self) { group in
                for (index, submission) in ([first] + openings(3)).enumerated() {
                    group.addTask { try await engine.sequencer.submit(submission).outcome }
                    try await eventually {
                        index == 0
                            ? gate.waiters == 1 : engine.sequencer.statistics.queueDepth == index
                    }
                }
                await #expect(throws: SubmissionError.overloaded) {
                    try await engine.sequencer.submit(
                        Fixture.submission(
                            .openWallet(userID: "late", currency: Fixture.currency("EUR")),
                            key: "late"))
                }
                #expect(engine.sequencer.statistics.shed == 1)
                gate.open()
                for try await outcome in group { #expect(outcome.event != nil) }
            }
            #expect(try await engine.head().position == 4)
            // There is room again.
            _ = try await engine.wallet()
        }
    }

    @Test func deadlinesHoldInTheQueueAndWhileExecuting() async throws {
        let gate = Gate(isOpen: false)
        let clock = ManualClock()
        let base = InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        let waiting = openings(1)[0]
        var limits = Sequencer.Limits()
        limits.commandTimeout = .milliseconds(200)
        try await Engine.run(on: base, clock: clock, limits: limits, gate: gate) { engine in
            let start = ContinuousClock.now
            async let executing = engine.result(of: first)
            try await eventually { gate.waiters == 1 }
            // The gate stays closed, so that only the deadline can end these.
            await #expect(throws: SubmissionError.timedOutInQueue) {
                try await engine.sequencer.submit(waiting)
            }
            let ended = await executing
            #expect(throws: SubmissionError.timedOut) { try ended.get() }
            #expect(ContinuousClock.now - start >= .milliseconds(200))
            #expect(engine.sequencer.statistics.queueDepth == 0)
        }
        // The one that was executing happened; the one that waited did not.
        try await Engine.run(on: base, clock: clock) { engine in
            let replays = [
                try await engine.sequencer.submit(first).outcome.isReplay,
                try await engine.sequencer.submit(waiting).outcome.isReplay,
            ]
            #expect(replays == [true, false])
            let head = try await engine.head()
            #expect(head.position == 2)
        }
    }

    @Test func stoppedSequencerAnswersThoseThatWaitAndRefusesTheRest() async throws {
        let gate = Gate(isOpen: false)
        try await Engine.run(gate: gate) { engine in
            try await withThrowingTaskGroup(of: Outcome.self) { group in
                for (index, submission) in ([first] + openings(5)).enumerated() {
                    group.addTask { try await engine.sequencer.submit(submission).outcome }
                    try await eventually {
                        index == 0
                            ? gate.waiters == 1 : engine.sequencer.statistics.queueDepth == index
                    }
                }
                engine.sequencer.stop()
                await #expect(throws: SubmissionError.stopping) {
                    try await engine.sequencer.submit(openings(7)[6])
                }
                gate.open()
                var count = 0
                for try await outcome in group where outcome.event != nil { count += 1 }
                #expect(count == 6)
            }
            await #expect(throws: SubmissionError.stopping) {
                try await engine.sequencer.submit(openings(7)[6])
            }
            #expect(try await engine.head().position == 6)
        }
    }

    @Test func abandonedSequencerFinishesTheTransactionUnderWayAlone() async throws {
        let gate = Gate(isOpen: false)
        try await Engine.run(gate: gate) { engine in
            async let executing = engine.result(of: first)
            try await eventually { gate.waiters == 1 }
            try await withThrowingTaskGroup(of: Result<Outcome, SubmissionError>.self) { group in
                for submission in openings(5) {
                    group.addTask { await engine.result(of: submission) }
                }
                try await eventually { engine.sequencer.statistics.queueDepth == 5 }
                engine.sequencer.abandon()
                // The gate is still closed: those that wait are answered all the same.
                for try await result in group {
                    #expect(throws: SubmissionError.stopping) { try result.get() }
                }
            }
            #expect(engine.sequencer.isAbandoned)
            #expect(engine.sequencer.statistics.queueDepth == 0)
            await #expect(throws: SubmissionError.stopping) {
                try await engine.sequencer.submit(openings(7)[6])
            }
            gate.open()
            #expect(try await executing.get().event != nil)
            #expect(try await engine.head().position == 1)
        }
    }

    @Test func keyOfACommandThatIsExecutingIsInFlight() async throws {
        let gate = Gate(isOpen: false)
        var limits = Sequencer.Limits()
        limits.commandTimeout = .milliseconds(200)
        try await Engine.run(limits: limits, gate: gate) { engine in
            async let executing = engine.result(of: first)
            try await eventually { gate.waiters == 1 }
            async let same = engine.result(of: first)
            async let other = engine.result(of: openings(1)[0])
            let (sameResult, otherResult) = await (same, other)
            #expect(throws: SubmissionError.inFlight) { try sameResult.get() }
            #expect(throws: SubmissionError.timedOutInQueue) { try otherResult.get() }
            let ended = await executing
            #expect(throws: SubmissionError.timedOut) { try ended.get() }
            gate.open()
            try await eventually { engine.sequencer.statistics.batches == 1 }
            #expect(try await engine.sequencer.submit(first).outcome.isReplay)
        }
    }

    @Test func sequencerThatIsStoppedBeforeItRunsReturns() async {
        let store = InMemoryLedgerStore(ledger: Fixture.ledger, now: { ManualClock.start })
        let sequencer = Sequencer(store: store, entropy: { 1 })
        sequencer.stop()
        await sequencer.run()
        #expect(sequencer.statistics.batches == 0)
    }

    @Test func answerCarriesTheHeadItIsPartOf() async throws {
        try await Engine.run { engine in
            let answer = try await engine.sequencer.submit(first)
            #expect(answer.token == ConsistencyToken(try await engine.head()))
            let again = try await engine.sequencer.submit(openings(1)[0])
            #expect(again.token.position == 2)
        }
    }

    // MARK: The clock

    @Test func timeIncreasesAlthoughTheClockStandsStillOrGoesBack() async throws {
        try await Engine.run { engine in
            let wallet = try await engine.wallet(amount: 0)
            for index in 0..<5 {
                if index == 2 { engine.clock.advance(byMicroseconds: -1_000_000) }
                _ = try await engine.submit(deposit(wallet, 1), key: "tick-\(index)")
            }
            let times = try await engine.queries.log(after: 0, limit: 10, token: nil).value
                .map { try $0.event().recordedAt.microseconds }
            let start = ManualClock.start.microseconds
            #expect(times == (1...6).map { start + Int64($0) })
        }
    }

    @Test func timeFollowsTheClockWhenItGoesOn() async throws {
        try await Engine.run { engine in
            engine.clock.advance(byMicroseconds: 1_000)
            let outcome = try await engine.sequencer.submit(first).outcome
            #expect(outcome.event?.recordedAt == engine.clock.now)
        }
    }

    @Test func writesStopWhenTheHeadIsMoreThanFiveSecondsAhead() async throws {
        try await Engine.run { engine in
            _ = try await engine.wallet()
            let head = try await engine.head()
            let lead = head.recordedAt.microseconds - engine.clock.now.microseconds
            engine.clock.advance(byMicroseconds: lead - 5_000_001)
            await #expect(throws: SubmissionError.unavailable) {
                try await engine.sequencer.submit(first)
            }
            #expect(try await engine.head() == head)
            #expect(!engine.sequencer.statistics.isHealthy)
            engine.clock.advance(byMicroseconds: 1)
            let outcome = try await engine.sequencer.submit(first).outcome
            #expect(
                outcome.event?.recordedAt == head.recordedAt.advanced(byMicroseconds: 1))
            #expect(engine.sequencer.statistics.isHealthy)
        }
    }
}
