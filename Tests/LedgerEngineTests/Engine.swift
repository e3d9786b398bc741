import LedgerEngine
import Synchronization
import WalletCore
import WalletTesting

/// A sequencer at work on a store in memory that fails as a test tells it to.
struct Engine: Sendable {
    let clock: ManualClock
    let base: InMemoryLedgerStore
    let store: FaultyLedgerStore
    let sequencer: Sequencer
    let queries: Queries
    let log: CommitLog

    /// Runs a test with a sequencer at work, and stops it after the test whatever came of it.
    static func run(
        limits: Sequencer.Limits = Sequencer.Limits(), gate: Gate? = nil,
        faults: [FaultyLedgerStore.Fault?] = [], seed: UInt64 = 1,
        _ body: (Engine) async throws -> Void
    ) async throws {
        let clock = ManualClock()
        let base = InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        try await run(
            on: base, clock: clock, limits: limits, gate: gate, faults: faults, seed: seed, body)
    }

    /// The same on a store that has been used before.
    static func run(
        on base: InMemoryLedgerStore, clock: ManualClock,
        limits: Sequencer.Limits = Sequencer.Limits(), gate: Gate? = nil,
        faults: [FaultyLedgerStore.Fault?] = [], seed: UInt64 = 1,
        _ body: (Engine) async throws -> Void
    ) async throws {
        let log = CommitLog(faults)
        let store = FaultyLedgerStore(base, gate: gate, nextFault: log.nextFault)
        store.reject(log.rejects)
        let sequencer = Sequencer(
            store: store, limits: limits, entropy: SeededEntropy(seed: seed).next)
        let engine = Engine(
            clock: clock, base: base, store: store, sequencer: sequencer,
            queries: Queries(store: base, now: { clock.now }), log: log)
        async let running: Void = sequencer.run()
        do {
            try await body(engine)
        } catch {
            gate?.open()
            sequencer.stop()
            await running
            throw error
        }
        gate?.open()
        sequencer.stop()
        await running
    }

    // MARK: Shorthand

    func submit(
        _ command: Command, key: String, by actor: Actor = Fixture.shop,
        text: FreeText = FreeText()
    ) async throws(SubmissionError) -> Outcome {
        try await sequencer.submit(
            Fixture.submission(command, key: key, by: actor, text: text)
        ).outcome
    }

    func result(of submission: Submission) async -> Result<Outcome, SubmissionError> {
        do throws(SubmissionError) {
            return .success(try await sequencer.submit(submission).outcome)
        } catch {
            return .failure(error)
        }
    }

    /// Opens a wallet with an amount in it.
    func wallet(
        _ user: String = "ada", _ currency: String = "EUR", amount: Int64 = 1_000
    ) async throws -> WalletID {
        let count = try await base.read { try $0.tally().wallets }
        let opened = try await submit(
            .openWallet(userID: user, currency: Fixture.currency(currency)), key: "open-\(count)")
        guard let wallet = opened.openedWallet else { throw Unexpected(outcome: opened) }
        if amount > 0 {
            _ = try await submit(deposit(wallet, amount), key: "fill-\(count)")
        }
        return wallet
    }

    func head() async throws -> Head { try await base.read { try $0.head() } }

    func total(of wallet: WalletID) async throws -> Int64? {
        try await base.read { try $0.wallets([wallet]).first?.total }
    }

    /// Submits one command after the other, so that they wait in this order, and lets them go when
    /// all of them wait.
    func submitTogether(
        _ submissions: [Submission], behind first: Submission, gate: Gate
    ) async throws -> [Result<Outcome, SubmissionError>] {
        try await withThrowingTaskGroup(
            of: (Int, Result<Outcome, SubmissionError>).self
        ) { group in
            for (index, submission) in ([first] + submissions).enumerated() {
                group.addTask {
                    (index, await result(of: submission))
                }
                try await eventually {
                    index == 0
                        ? gate.waiters == 1 : sequencer.statistics.queueDepth == index
                }
            }
            gate.open()
            var results: [Int: Result<Outcome, SubmissionError>] = [:]
            for try await (index, result) in group { results[index] = result }
            return (1...submissions.count).compactMap { results[$0] }
        }
    }

    struct Unexpected: Error {
        var outcome: Outcome
    }
}

/// What happens at each commit: which fault comes next, and what was appended.
final class CommitLog: Sendable {
    private struct State {
        var faults: [FaultyLedgerStore.Fault?]
        var appends: [Append] = []
        var isRejected: @Sendable (Append) -> Bool = { _ in false }
    }

    private let state: Mutex<State>

    init(_ faults: [FaultyLedgerStore.Fault?]) {
        state = Mutex(State(faults: faults))
    }

    /// Every append that the sequencer tried, in order.
    var appends: [Append] { state.withLock { $0.appends } }

    /// The next writes meet these faults, one each.
    func expect(_ faults: [FaultyLedgerStore.Fault?]) {
        state.withLock { $0.faults = faults }
    }

    func reject(_ matches: @escaping @Sendable (Append) -> Bool) {
        state.withLock { $0.isRejected = matches }
    }

    @Sendable func nextFault() -> FaultyLedgerStore.Fault? {
        state.withLock { $0.faults.isEmpty ? nil : $0.faults.removeFirst() }
    }

    @Sendable func rejects(_ append: Append) -> Bool {
        state.withLock { state in
            state.appends.append(append)
            return state.isRejected(append)
        }
    }
}

func deposit(_ wallet: WalletID, _ amount: Int64, reference: String? = nil) -> Command {
    .deposit(
        wallet: wallet, amount: Fixture.amount(amount), currency: nil, reference: reference)
}

func withdrawal(_ wallet: WalletID, _ amount: Int64, reference: String? = nil) -> Command {
    .withdraw(
        wallet: wallet, amount: Fixture.amount(amount), currency: nil, reference: reference)
}

func transfer(_ from: WalletID, _ to: WalletID, _ amount: Int64) -> Command {
    .transfer(
        from: from, to: to, amount: Fixture.amount(amount), currency: nil, reference: nil)
}

func hold(_ wallet: WalletID, _ amount: Int64, until expiresAt: Instant?) -> Command {
    .placeHold(
        wallet: wallet, amount: Fixture.amount(amount), currency: nil, expiresAt: expiresAt,
        reference: nil)
}

/// Waits for something that another task does; throws when it has not come in ten seconds.
func eventually(_ condition: () -> Bool) async throws {
    struct NeverHappened: Error {}
    let deadline = ContinuousClock.now + .seconds(10)
    while !condition() {
        guard ContinuousClock.now < deadline else { throw NeverHappened() }
        try await Task.sleep(for: .milliseconds(1))
    }
}
