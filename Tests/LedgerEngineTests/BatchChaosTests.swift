import LedgerEngine
import Synchronization
import Testing
import WalletCore
import WalletTesting

/// Many callers send batches and single requests with the same operation keys, and sweeps run
/// between them, over a store that fails at random; every key must happen once.
@Suite struct BatchChaosTests {
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func everyOperationHappensOnceWhateverItCameIn(_ seed: UInt64) async throws {
        try await Chaos(seed: seed).run()
    }
}

private struct Chaos: Sendable {
    private static let wallets = 8
    private static let funds: Int64 = 500
    private static let callers = 6
    private static let rounds = 40

    let seed: UInt64
    private let store: InMemoryLedgerStore
    private let faulty: FaultyLedgerStore
    private let sequencer: Sequencer

    init(seed: UInt64) {
        self.seed = seed
        let clock = ManualClock()
        store = InMemoryLedgerStore(ledger: Fixture.ledger) {
            clock.advance(byMicroseconds: 2_000)
            return clock.now
        }
        let dice = SeededEntropy(seed: seed &+ 1)
        faulty = FaultyLedgerStore(store) {
            switch dice.next() % 30 {
            case 0: .unavailable
            case 1: .lostAfterCommit
            case 2: .lostBeforeCommit
            default: nil
            }
        }
        faulty.reject { append in !append.entries.isEmpty && dice.next() % 40 == 0 }
        var limits = Sequencer.Limits()
        limits.maxBatch = 20
        limits.maxSweep = 3
        limits.queueLimit = 40
        sequencer = Sequencer(
            store: faulty, limits: limits, entropy: SeededEntropy(seed: seed &+ 2).next)
    }

    func run() async throws {
        async let running: Void = sequencer.run()
        do {
            let pool = try await prepare()
            let told = try await withThrowingTaskGroup(of: Told.self) { group in
                for index in 0..<Chaos.callers {
                    group.addTask { try await call(index, pool) }
                }
                return try await group.reduce(into: Told()) { $0.merge($1, seed: seed) }
            }
            sequencer.stop()
            await running
            try await audit(told)
        } catch {
            sequencer.stop()
            await running
            throw error
        }
    }

    /// Opens and fills the wallets, and makes up the operations that all callers share.
    private func prepare() async throws -> [Submission] {
        var dice = SeededGenerator(seed: seed)
        var wallets: [WalletID] = []
        for index in 0..<Chaos.wallets {
            let opening = Command.openWallet(userID: "ada", currency: Fixture.currency("EUR"))
            let opened = try await settle(Fixture.submission(opening, key: "open-\(index)"))
            let wallet = try #require(opened.openedWallet)
            _ = try await settle(
                Fixture.submission(deposit(wallet, Chaos.funds), key: "fill-\(index)"))
            wallets.append(wallet)
        }
        return (0..<300).map { index in
            let from = wallets[Int.random(in: 0..<wallets.count, using: &dice)]
            let to = wallets[Int.random(in: 0..<wallets.count, using: &dice)]
            let amount = Int64.random(in: 1...150, using: &dice)
            let expiry = ManualClock.start.advanced(
                byMicroseconds: Int64.random(in: 1...600_000, using: &dice))
            let command =
                index.isMultiple(of: 4)
                ? hold(from, amount, until: expiry) : transfer(from, to, amount)
            return Fixture.submission(command, key: "op-\(index)")
        }
    }

    private func call(_ index: Int, _ pool: [Submission]) async throws -> Told {
        var dice = SeededGenerator(seed: seed &* 31 &+ UInt64(index))
        var told = Told()
        var batches: [BatchSubmission] = []
        for round in 0..<Chaos.rounds {
            switch Int.random(in: 0..<10, using: &dice) {
            case 0:
                _ = try await untilAnswered { () throws(SubmissionError) in
                    try await sequencer.sweep()
                }
            case 1...3:
                let operation = pool[Int.random(in: 0..<pool.count, using: &dice)]
                told.hear(try await settle(operation), of: operation, seed: seed)
            case 4 where !batches.isEmpty:
                let batch = batches[Int.random(in: 0..<batches.count, using: &dice)]
                let outcome = try await settle(batch)
                #expect(outcome.isReplay, "seed \(seed)")
                told.hear(outcome, of: batch, seed: seed)
            default:
                let size = Int.random(in: 1...12, using: &dice)
                let batch = Fixture.batch(
                    Array(pool.shuffled(using: &dice).prefix(size)), key: "b-\(index)-\(round)",
                    isAtomic: Bool.random(using: &dice))
                told.hear(try await settle(batch), of: batch, seed: seed)
                batches.append(batch)
            }
        }
        return told
    }

    private func settle(_ submission: Submission) async throws -> Outcome {
        try await untilAnswered { () throws(SubmissionError) in
            try await sequencer.submit(submission).outcome
        }
    }

    private func settle(_ batch: BatchSubmission) async throws -> BatchOutcome {
        try await untilAnswered { () throws(SubmissionError) in
            try await sequencer.submit(batch).outcome
        }
    }

    private func untilAnswered<Value>(
        _ ask: () async throws(SubmissionError) -> Value
    ) async throws -> Value {
        for _ in 0..<20_000 {
            do {
                return try await ask()
            } catch SubmissionError.stopping {
                throw SubmissionError.stopping
            } catch {
                // The sequencer may be waiting to look into a commit of unknown outcome.
                try await Task.sleep(for: .milliseconds(1))
            }
        }
        throw SubmissionError.overloaded
    }

    private func audit(_ told: Told) async throws {
        let events = try await store.read { snapshot in
            try snapshot.events(at: Array(1...snapshot.head().position))
        }
        var logged: [Digest: Event] = [:]
        var batches: [Digest: Int] = [:]
        for event in events.values {
            guard let stamp = event.cause.idempotency else { continue }
            #expect(logged.updateValue(event, forKey: stamp.key) == nil, "seed \(seed)")
            if let batch = stamp.batch { batches[batch.key, default: 0] += 1 }
        }
        for (key, event) in told.events {
            #expect(logged[key] == event, "seed \(seed): position \(event.position)")
        }
        for batch in told.refused {
            #expect(batches[batch] == nil, "seed \(seed): a refused batch left events")
        }
        #expect(told.refused.count > 5 && told.settled > 20 && batches.count > 20, "\(seed)")
        let wallets = try await store.read { try $0.wallets(after: nil, limit: 100) }
        #expect(wallets.reduce(0) { $0 + $1.total } == Int64(Chaos.wallets) * Chaos.funds)
        _ = try await Verifier(store: store).verify()
    }
}

/// What callers were told.
private struct Told: Sendable {
    var events: [Digest: Event] = [:]
    var refused: Set<Digest> = []
    var settled = 0

    mutating func hear(_ outcome: Outcome, of operation: Submission, seed: UInt64) {
        guard let event = outcome.event else { return }
        let earlier = events.updateValue(event, forKey: operation.key)
        #expect(earlier == nil || earlier == event, "seed \(seed): one key, two answers")
    }

    mutating func hear(_ outcome: BatchOutcome, of batch: BatchSubmission, seed: UInt64) {
        guard let outcomes = outcome.outcomes, case .success(let operations) = batch.request else {
            #expect(batch.isAtomic && outcome.refusal?.code == .batchRefused, "seed \(seed)")
            refused.insert(batch.key)
            return
        }
        settled += 1
        #expect(!refused.contains(batch.key), "seed \(seed): a refused batch was settled")
        for (operation, outcome) in zip(operations, outcomes) {
            #expect(!batch.isAtomic || outcome.event != nil, "seed \(seed): half a batch")
            hear(outcome, of: operation, seed: seed)
        }
    }

    mutating func merge(_ other: Told, seed: UInt64) {
        for (key, event) in other.events {
            let earlier = events.updateValue(event, forKey: key)
            #expect(earlier == nil || earlier == event, "seed \(seed): one key, two answers")
        }
        refused.formUnion(other.refused)
        settled += other.settled
    }
}
