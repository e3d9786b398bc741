package import LedgerEngine
import Synchronization
package import WalletCore

/// Thousands of random commands from many callers at once, over a store that fails at random.
///
/// Each caller repeats a submission with its key until it has an outcome. Then every key must have
/// done what its outcome says, once, and the whole ledger must add up.
package struct ChaosRun: Sendable {
    /// What did not add up; says the seed that shows it again.
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    /// What happened, so that a test can tell that something did.
    package struct Report: Sendable {
        package var recorded = 0
        package var refused = 0
        package var retries = 0
        package var statistics: Sequencer.Statistics
    }

    private let seed: UInt64
    private let callers: Int
    private let commandsEach: Int
    private let clock: JumpyClock
    private let store: any LedgerStore
    private let faults: FaultyLedgerStore

    /// - Parameter makeStore: makes a new store with an empty ledger on the given clock.
    package init(
        seed: UInt64, callers: Int, commandsEach: Int,
        makeStore: (@escaping @Sendable () -> Instant) throws -> any LedgerStore
    ) rethrows {
        self.seed = seed
        self.callers = callers
        self.commandsEach = commandsEach
        let clock = JumpyClock(seed: seed)
        self.clock = clock
        store = try makeStore { clock.next() }
        let dice = SeededEntropy(seed: seed &+ 1)
        faults = FaultyLedgerStore(store) {
            switch dice.next() % 40 {
            case 0: .unavailable
            case 1: .lostAfterCommit
            case 2: .lostBeforeCommit
            default: nil
            }
        }
        faults.reject { append in !append.entries.isEmpty && dice.next() % 50 == 0 }
    }

    /// Runs the callers to their end and checks what is left.
    package func run() async throws -> Report {
        var limits = Sequencer.Limits()
        limits.maxBatch = 16
        limits.queueLimit = max(4, callers - 4)
        let sequencer = Sequencer(
            store: faults, limits: limits, entropy: SeededEntropy(seed: seed &+ 2).next)
        async let running: Void = sequencer.run()
        let settled: [Settled]
        do {
            settled = try await work(sequencer)
        } catch {
            sequencer.stop()
            await running
            throw error
        }
        sequencer.stop()
        await running
        try await audit(settled)
        var report = Report(statistics: sequencer.statistics)
        for outcome in settled {
            report.retries += outcome.retries
            if outcome.event == nil { report.refused += 1 } else { report.recorded += 1 }
        }
        return report
    }

    private func work(_ sequencer: Sequencer) async throws -> [Settled] {
        var opener = Caller(index: -1, seed: seed, sequencer: sequencer, wallets: [])
        for index in 0..<12 {
            let currency = Fixture.currency(index < 9 ? "EUR" : "JPY")
            try await opener.settle(.openWallet(userID: "user-\(index % 5)", currency: currency))
        }
        let wallets = opener.settled.compactMap(\.event?.balances.first?.wallet)
        for wallet in wallets {
            try await opener.settle(
                .deposit(
                    wallet: wallet, amount: Fixture.amount(10_000), currency: nil, reference: nil))
        }
        let opened = opener.settled
        return try await withThrowingTaskGroup(of: [Settled].self) { group in
            for index in 0..<callers {
                var caller = Caller(
                    index: index, seed: seed, sequencer: sequencer, wallets: wallets)
                group.addTask { [commandsEach] in
                    for _ in 0..<commandsEach { try await caller.act() }
                    return caller.settled
                }
            }
            return try await group.reduce(into: opened) { $0 += $1 }
        }
    }

    /// Every key did what its outcome says, exactly once, and the ledger adds up.
    private func audit(_ settled: [Settled]) async throws {
        let events = try await store.read { snapshot in
            try snapshot.events(at: Array(1...max(1, snapshot.head().position)))
        }
        var byKey: [Digest: Event] = [:]
        for event in events.values {
            guard let stamp = event.cause.idempotency else { continue }
            try require(
                byKey.updateValue(event, forKey: stamp.key) == nil,
                "one key led to two events, \(event.position) is one of them")
        }
        var totals: [WalletID: Int64] = [:]
        for outcome in settled {
            try require(
                byKey.removeValue(forKey: outcome.key) == outcome.event,
                "the log has another outcome of a key than its caller was told")
            for case .wallet(let id) in outcome.event?.postings.map(\.account) ?? [] {
                totals[id, default: 0] += outcome.event?.change(of: id) ?? 0
            }
        }
        try require(byKey.isEmpty, "the log has \(byKey.count) events that nobody asked for")
        let wallets = try await store.read { try $0.wallets(after: nil, limit: 1_000) }
        for wallet in wallets {
            try require(
                wallet.total == totals[wallet.id, default: 0],
                "wallet \(wallet.id) has \(wallet.total), its callers moved "
                    + "\(totals[wallet.id, default: 0])")
        }
        do {
            _ = try await Verifier(store: store).verify()
        } catch {
            throw Failure(description: "seed \(seed): the verifier says \(error)")
        }
    }

    private func require(_ condition: Bool, _ reason: String) throws {
        guard condition else { throw Failure(description: "seed \(seed): \(reason)") }
    }
}

/// What became of one key.
private struct Settled: Sendable {
    var key: Digest
    /// Absent where it was refused.
    var event: Event?
    var retries: Int
}

/// A clock that mostly goes on, by leaps, and now and then back a little.
private final class JumpyClock: Sendable {
    private let clock = ManualClock()
    private let dice: SeededEntropy

    init(seed: UInt64) {
        dice = SeededEntropy(seed: seed &+ 3)
    }

    func next() -> Instant {
        let roll = Int64(dice.next() % 3_000)
        clock.advance(byMicroseconds: roll < 50 ? -1_000 : roll)
        return clock.now
    }
}

/// One caller, whose commands follow from the seed, and who remembers what it was told.
private struct Caller: Sendable {
    private let index: Int
    private let sequencer: Sequencer
    private let wallets: [WalletID]
    private var dice: SeededGenerator
    private(set) var settled: [Settled] = []
    private var commands: [(command: Command, key: String, code: Refusal.Code?)] = []
    private var holds: [HoldID] = []
    private var transactions: [TransactionID] = []

    init(index: Int, seed: UInt64, sequencer: Sequencer, wallets: [WalletID]) {
        self.index = index
        self.sequencer = sequencer
        self.wallets = wallets
        dice = SeededGenerator(seed: seed &* 31 &+ UInt64(bitPattern: Int64(index)))
    }

    mutating func act() async throws {
        switch Int.random(in: 0..<20, using: &dice) {
        case 0 where !commands.isEmpty: try await repeatOne()
        case 1 where !commands.isEmpty: try await reuseKey()
        default: try await settle(nextCommand())
        }
    }

    /// Submits a new command until it has an outcome.
    mutating func settle(_ command: Command) async throws {
        let key = "caller-\(index)-\(commands.count)"
        let (outcome, retries) = try await outcome(of: command, key: key)
        if case .holdPlaced(let hold, _, _, _, _, _)? = outcome.event?.change { holds.append(hold) }
        if let movement = outcome.event?.movement { transactions.append(movement.transaction) }
        settled.append(
            Settled(
                key: .idempotencyKey(key, of: Fixture.shop), event: outcome.event,
                retries: retries))
        commands.append((command, key, outcome.code))
    }

    private func outcome(of command: Command, key: String) async throws -> (Outcome, Int) {
        for retries in 0..<10_000 {
            do {
                let answer = try await sequencer.submit(Fixture.submission(command, key: key))
                return (answer.outcome, retries)
            } catch SubmissionError.stopping {
                throw SubmissionError.stopping
            } catch {
                // A full queue answers at once, and may stay full while a commit is looked into.
                try await Task.sleep(for: .milliseconds(1))
            }
        }
        throw ChaosRun.Failure(description: "a submission had no outcome in 10,000 tries")
    }

    /// The same again must be told the same, and be marked as a repetition.
    private mutating func repeatOne() async throws {
        let chosen = Int.random(in: 0..<commands.count, using: &dice)
        let (command, key, code) = commands[chosen]
        guard code?.isRemembered ?? true else { return }
        let (outcome, _) = try await outcome(of: command, key: key)
        guard outcome.event == settled[chosen].event, outcome.code == code, outcome.isReplay else {
            throw ChaosRun.Failure(description: "the same key was answered in another way")
        }
    }

    /// Another command under a known key must be refused.
    private mutating func reuseKey() async throws {
        let (_, key, code) = commands[Int.random(in: 0..<commands.count, using: &dice)]
        guard code?.isRemembered ?? true else { return }
        let other = Command.openWallet(userID: "thief", currency: Fixture.currency("USD"))
        let (outcome, _) = try await outcome(of: other, key: key)
        guard outcome.code == .idempotencyKeyReused else {
            throw ChaosRun.Failure(description: "a key was used for another command")
        }
    }

    private mutating func nextCommand() -> Command {
        let wallet = pick(wallets) ?? WalletID(high: 0, low: 0)
        let amount = Fixture.amount(Int64.random(in: 1...3_000, using: &dice))
        let reference =
            Int.random(in: 0..<4, using: &dice) == 0
            ? "order-\(Int.random(in: 0..<200, using: &dice))" : nil
        switch Int.random(in: 0..<20, using: &dice) {
        case 0...4:
            return .deposit(wallet: wallet, amount: amount, currency: nil, reference: reference)
        case 5...7:
            return .withdraw(wallet: wallet, amount: amount, currency: nil, reference: reference)
        case 8...12:
            return .transfer(
                from: wallet, to: pick(wallets) ?? wallet, amount: amount, currency: nil,
                reference: reference)
        case 13...14:
            let lifetime = Int64.random(in: 1...2_000_000, using: &dice)
            return .placeHold(
                wallet: wallet, amount: amount, currency: nil,
                expiresAt: ManualClock.start.advanced(byMicroseconds: lifetime),
                reference: reference)
        case 15:
            guard let hold = pick(holds) else { return .unfreezeWallet(wallet) }
            return .captureHold(hold: hold, amount: nil, to: pick(wallets))
        case 16:
            guard let hold = pick(holds) else { return .unfreezeWallet(wallet) }
            return .releaseHold(hold: hold)
        case 17...18:
            guard let transaction = pick(transactions) else { return .unfreezeWallet(wallet) }
            return .reverse(transaction: transaction, amount: nil)
        default:
            return Bool.random(using: &dice) ? .freezeWallet(wallet) : .unfreezeWallet(wallet)
        }
    }

    private mutating func pick<Item>(_ items: [Item]) -> Item? {
        items.randomElement(using: &dice)
    }
}
