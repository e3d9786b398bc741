import DequeModule
import Synchronization
import WalletCore

/// The one consumer of the write queue: it takes what is there, commits it as one transaction, and
/// only then answers. While it commits, the next batch fills; there is no timer.
package final class Sequencer: Sendable {
    /// The limits of the queue and of a batch; each has a default that is documented for operators.
    package struct Limits: Hashable, Sendable {
        /// Commands in one transaction at most.
        package var maxBatch = 256
        /// Bytes that one transaction adds to the log at most, roughly.
        package var maxBatchBytes = 1 << 20
        /// Commands that wait at most.
        package var queueLimit = 8_192
        /// Bytes that wait at most, roughly.
        package var queueBytesLimit = 64 << 20
        /// How long a caller waits for its answer.
        package var commandTimeout: Duration = .seconds(5)
        /// How often a commit of unknown outcome is looked into before its callers are told that
        /// only their keys know.
        package var resolveAttempts = 5

        package init() {}
    }

    /// What the sequencer has done since it was made; the numbers behind metrics.
    package struct Statistics: Hashable, Sendable {
        /// Commands waiting now.
        package var queueDepth = 0
        package var batches: Int64 = 0
        /// Commands that were taken through a transaction, replays and refusals included.
        package var commands: Int64 = 0
        /// Transactions that failed.
        package var failures: Int64 = 0
        /// Commits whose outcome had to be looked into.
        package var unknownCommits: Int64 = 0
        /// Commands that found the queue full.
        package var shed: Int64 = 0
        /// Whether the last transaction succeeded.
        package var isHealthy = true
    }

    private struct State {
        var queue: Deque<PendingCommand> = []
        var queueBytes = 0
        var executing: [PendingCommand] = []
        var sleeper: CheckedContinuation<Void, Never>?
        var isStopping = false
        var statistics = Statistics()
        var lastPrune: ContinuousClock.Instant?
    }

    private let store: any LedgerStore
    private let executor: BatchExecutor
    private let limits: Limits
    private let report: @Sendable (any Error) -> Void
    private let state = Mutex(State())

    /// A sequencer on a store; nothing happens until ``run()``.
    ///
    /// - Parameters:
    ///   - entropy: random bits for identifiers.
    ///   - report: is told of every transaction that failed, for the log.
    package init(
        store: any LedgerStore, limits: Limits = Limits(),
        entropy: @escaping @Sendable () -> UInt64,
        report: @escaping @Sendable (any Error) -> Void = { _ in }
    ) {
        self.store = store
        self.limits = limits
        self.report = report
        executor = BatchExecutor(entropy: entropy)
    }

    package var statistics: Statistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.queueDepth = state.queue.count
            return statistics
        }
    }

    /// Waits for a submission's outcome, at most as long as the limit says.
    ///
    /// When it throws, the outcome is unknown or there is none; the same key tells which.
    package func submit(_ submission: Submission) async throws(SubmissionError) -> Answer {
        let command = PendingCommand(submission, deadline: .now + limits.commandTimeout)
        let result = await withCheckedContinuation { continuation in
            command.wait(with: continuation)
            enqueue(command)
        }
        return try result.get()
    }

    private func enqueue(_ command: PendingCommand) {
        let weight = command.submission.weight
        var sleeper: CheckedContinuation<Void, Never>?
        let refusal: SubmissionError? = state.withLock { state in
            if state.isStopping { return .stopping }
            guard state.queue.count < limits.queueLimit,
                state.queueBytes + weight <= limits.queueBytesLimit
            else {
                state.statistics.shed += 1
                return .overloaded
            }
            state.queue.append(command)
            state.queueBytes += weight
            swap(&sleeper, &state.sleeper)
            return nil
        }
        if let refusal { command.finish(.failure(refusal)) }
        sleeper?.resume()
    }

    /// Takes no new submissions; ``run()`` returns when those that wait have been answered.
    package func stop() {
        let sleeper = state.withLock { state in
            state.isStopping = true
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
    }

    /// Works until ``stop()`` has been called and the queue is empty.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.expireOverdue() }
            while let batch = await nextBatch() {
                await settle(batch, unresolved: [], attempt: 1)
                state.withLock { $0.executing = [] }
            }
            group.cancelAll()
        }
    }

    private func nextBatch() async -> [PendingCommand]? {
        while true {
            let (batch, isOver) = state.withLock { state in
                (takeBatch(from: &state), state.isStopping && state.queue.isEmpty)
            }
            if !batch.isEmpty { return batch }
            if isOver { return nil }
            await withCheckedContinuation { continuation in
                let hasWork = state.withLock { state in
                    if !state.queue.isEmpty || state.isStopping { return true }
                    state.sleeper = continuation
                    return false
                }
                if hasWork { continuation.resume() }
            }
        }
    }

    private func takeBatch(from state: inout State) -> [PendingCommand] {
        var batch: [PendingCommand] = []
        var bytes = 0
        while batch.count < limits.maxBatch, let next = state.queue.first {
            let weight = next.submission.weight
            guard batch.isEmpty || bytes + weight <= limits.maxBatchBytes else { break }
            state.queue.removeFirst()
            state.queueBytes -= weight
            bytes += weight
            batch.append(next)
        }
        state.executing = batch
        return batch
    }
}

// MARK: - Taking a batch through the store

extension Sequencer {
    /// How often old refusals are forgotten.
    private static let pruneInterval: Duration = .seconds(10)

    private func settle(
        _ batch: [PendingCommand], unresolved: Set<Digest>, attempt: Int
    ) async {
        let submissions = batch.map(\.submission)
        let prunes = isPruneDue()
        let sought = Mutex(unresolved)
        do {
            let result = try await store.write { [executor] transaction in
                try executor.execute(
                    submissions, unresolved: unresolved, prunes: prunes, in: transaction
                ) { missing in
                    sought.withLock { $0.formUnion(missing) }
                }
            }
            note { statistics in
                statistics.batches += 1
                statistics.commands += Int64(batch.count)
                statistics.isHealthy = true
            }
            let token = ConsistencyToken(result.head)
            for (command, outcome) in zip(batch, result.outcomes) {
                command.finish(.success(Answer(outcome: outcome, token: token)))
            }
        } catch StoreError.commitUnknown {
            report(StoreError.commitUnknown)
            note { $0.unknownCommits += 1 }
            await resolve(batch, unresolved: sought.withLock { $0 }, attempt: attempt)
        } catch StoreError.rejected(let reason) {
            report(StoreError.rejected(reason: reason))
            await isolate(batch, unresolved: unresolved, attempt: attempt)
        } catch {
            report(error)
            note { statistics in
                statistics.failures += 1
                statistics.isHealthy = false
            }
            if unresolved.isEmpty {
                for command in batch { command.finish(.failure(.unavailable)) }
            } else {
                await resolve(batch, unresolved: unresolved, attempt: attempt)
            }
        }
    }

    /// Finds out what an unknown commit did, by doing the same again: under the head's lock the
    /// keys say which commands are in the log, and those that are not are decided anew.
    private func resolve(
        _ batch: [PendingCommand], unresolved: Set<Digest>, attempt: Int
    ) async {
        guard attempt < limits.resolveAttempts else {
            for command in batch { command.finish(.failure(.timedOut)) }
            return
        }
        try? await Task.sleep(for: .milliseconds(20 << attempt))
        await settle(batch, unresolved: unresolved, attempt: attempt + 1)
    }

    /// Halves a batch that the database refuses until the culprit stands alone, so that its
    /// neighbours do not fail with it.
    private func isolate(
        _ batch: [PendingCommand], unresolved: Set<Digest>, attempt: Int
    ) async {
        guard batch.count > 1 else {
            note { $0.failures += 1 }
            for command in batch { command.finish(.failure(.rejected)) }
            return
        }
        let middle = batch.count / 2
        await settle(Array(batch[..<middle]), unresolved: unresolved, attempt: attempt)
        await settle(Array(batch[middle...]), unresolved: unresolved, attempt: attempt)
    }

    private func note(_ change: (inout Statistics) -> Void) {
        state.withLock { change(&$0.statistics) }
    }

    private func isPruneDue() -> Bool {
        let now = ContinuousClock.now
        return state.withLock { state in
            if let last = state.lastPrune, now - last < Sequencer.pruneInterval { return false }
            state.lastPrune = now
            return true
        }
    }
}

// MARK: - Deadlines

extension Sequencer {
    /// How often deadlines are looked at; a caller waits at most this much longer.
    private static let expiryInterval: Duration = .milliseconds(50)

    private func expireOverdue() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Sequencer.expiryInterval)
            let now = ContinuousClock.now
            let (waiting, executing) = state.withLock { state in
                var waiting: [PendingCommand] = []
                // Deadlines are in the order of the queue, since all callers wait equally long.
                while let first = state.queue.first, first.deadline <= now {
                    state.queue.removeFirst()
                    state.queueBytes -= first.submission.weight
                    waiting.append(first)
                }
                return (waiting, state.executing.filter { $0.deadline <= now })
            }
            for command in waiting { command.finish(.failure(.timedOutInQueue)) }
            for command in executing { command.finish(.failure(.timedOut)) }
        }
    }
}

/// A submission and its caller, who is answered once.
final class PendingCommand: Sendable {
    typealias Answered = CheckedContinuation<Result<Answer, SubmissionError>, Never>

    let submission: Submission
    let deadline: ContinuousClock.Instant
    private let caller = Mutex<Answered?>(nil)

    init(_ submission: Submission, deadline: ContinuousClock.Instant) {
        self.submission = submission
        self.deadline = deadline
    }

    func wait(with continuation: Answered) {
        caller.withLock { $0 = continuation }
    }

    /// Answers the caller; does nothing when it has been answered.
    func finish(_ result: Result<Answer, SubmissionError>) {
        let caller = caller.withLock { caller in
            defer { caller = nil }
            return caller
        }
        caller?.resume(returning: result)
    }
}
