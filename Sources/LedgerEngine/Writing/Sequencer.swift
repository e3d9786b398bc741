import DequeModule
import Synchronization
import WalletCore

/// The one consumer of the write queue: it takes what is there, commits it as one transaction, and
/// only then answers. While it commits, the next transaction fills; there is no timer.
///
/// A unit of the queue is a request, a batch of them, or a sweep of expired holds. A unit is never
/// divided; it may share its transaction with its neighbours.
package final class Sequencer: Sendable {
    /// The limits of the queue and of a transaction; each has a default that is documented for
    /// operators.
    package struct Limits: Hashable, Sendable {
        /// Commands in one transaction at most, but for a batch that is larger and comes alone.
        package var maxBatch = 2_048
        /// Bytes that one transaction adds to the log at most, roughly.
        package var maxBatchBytes = 4 << 20
        /// Commands that wait at most.
        package var queueLimit = 8_192
        /// Bytes that wait at most, roughly.
        package var queueBytesLimit = 64 << 20
        /// How long a caller waits for its answer.
        package var commandTimeout: Duration = .seconds(5)
        /// How often a commit of unknown outcome is looked into before its callers are told that
        /// only their keys know.
        package var resolveAttempts = 5
        /// Expired holds that one sweep records at most.
        package var maxSweep = 500

        package init() {}
    }

    /// What the sequencer has done since it was made; the numbers behind metrics.
    package struct Statistics: Hashable, Sendable {
        /// Commands waiting now.
        package var queueDepth = 0
        /// Transactions that were committed.
        package var batches: Int64 = 0
        /// Commands that were taken through a transaction, replays and refusals included.
        package var commands: Int64 = 0
        /// Expired holds that sweeps recorded.
        package var sweptHolds: Int64 = 0
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
        var queue: Deque<PendingWork> = []
        /// The commands that wait, those of batches counted one by one.
        var queueSize = 0
        var queueBytes = 0
        var executing: [PendingWork] = []
        var sleeper: CheckedContinuation<Void, Never>?
        var isStopping = false
        var isAbandoned = false
        var statistics = Statistics()
        var lastPrune: ContinuousClock.Instant?

        mutating func dequeueFirst() {
            let first = queue.removeFirst()
            queueSize -= first.size
            queueBytes -= first.weight
        }
    }

    private let store: any LedgerStore
    private let executor: CommitExecutor
    private let limits: Limits
    private let announce: @Sendable (Head) -> Void
    private let report: @Sendable (any Error) -> Void
    private let state = Mutex(State())

    /// A sequencer on a store; nothing happens until ``run()``.
    ///
    /// - Parameters:
    ///   - entropy: random bits for identifiers.
    ///   - announce: is told of the head after every commit, when its callers have been answered.
    ///   - report: is told of every transaction that failed, for the log.
    package init(
        store: any LedgerStore, limits: Limits = Limits(),
        entropy: @escaping @Sendable () -> UInt64,
        announce: @escaping @Sendable (Head) -> Void = { _ in },
        report: @escaping @Sendable (any Error) -> Void = { _ in }
    ) {
        self.store = store
        self.limits = limits
        self.announce = announce
        self.report = report
        executor = CommitExecutor(entropy: entropy)
    }

    package var statistics: Statistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.queueDepth = state.queueSize
            return statistics
        }
    }

    /// Waits for a submission's outcome, at most as long as the limit says.
    ///
    /// When it throws, the outcome is unknown or there is none; the same key tells which.
    package func submit(_ submission: Submission) async throws(SubmissionError) -> Answer {
        let settled = try await settle(.single(submission))
        guard case .single(let outcome) = settled.outcome else {
            preconditionFailure("a submission was settled as something else")
        }
        return Answer(outcome: outcome, token: settled.token)
    }

    /// Waits for the outcome of a batch, as ``submit(_:)-(Submission)`` does for a submission's.
    package func submit(_ batch: BatchSubmission) async throws(SubmissionError) -> BatchAnswer {
        let settled = try await settle(.batch(batch))
        guard case .batch(let outcome) = settled.outcome else {
            preconditionFailure("a batch was settled as something else")
        }
        return BatchAnswer(outcome: outcome, token: settled.token)
    }

    /// Records that holds have expired, at most ``Limits/maxSweep`` of them, oldest first.
    ///
    /// Nothing depends on it: an expired hold is expired for everyone from its instant on.
    ///
    /// - Returns: how many.
    package func sweep() async throws(SubmissionError) -> Int {
        let settled = try await settle(.sweep(limits.maxSweep))
        guard case .sweep(let count) = settled.outcome else {
            preconditionFailure("a sweep was settled as something else")
        }
        return count
    }

    private func settle(_ work: Work) async throws(SubmissionError) -> PendingWork.Settled {
        let pending = PendingWork(work, deadline: .now + limits.commandTimeout)
        let result = await withCheckedContinuation { continuation in
            pending.wait(with: continuation)
            enqueue(pending)
        }
        return try result.get()
    }

    private func enqueue(_ pending: PendingWork) {
        var sleeper: CheckedContinuation<Void, Never>?
        let refusal: SubmissionError? = state.withLock { state in
            if state.isStopping { return .stopping }
            // An empty queue takes anything, or what is larger than a limit could never be done.
            guard
                state.queue.isEmpty
                    || state.queueSize + pending.size <= limits.queueLimit
                        && state.queueBytes + pending.weight <= limits.queueBytesLimit
            else {
                state.statistics.shed += 1
                return .overloaded
            }
            state.queue.append(pending)
            state.queueSize += pending.size
            state.queueBytes += pending.weight
            swap(&sleeper, &state.sleeper)
            return nil
        }
        if let refusal { pending.finish(.failure(refusal)) }
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

    /// Takes no new submissions and drops those that wait: ``run()`` returns when the transaction
    /// under way is done.
    package func abandon() {
        let (waiting, sleeper) = state.withLock { state in
            state.isStopping = true
            state.isAbandoned = true
            let waiting = state.queue
            state.queue = []
            state.queueSize = 0
            state.queueBytes = 0
            defer { state.sleeper = nil }
            return (waiting, state.sleeper)
        }
        for pending in waiting { pending.finish(.failure(.stopping)) }
        sleeper?.resume()
    }

    /// Whether ``abandon()`` has been called.
    package var isAbandoned: Bool { state.withLock { $0.isAbandoned } }

    /// Works until ``stop()`` has been called and the queue is empty.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.expireOverdue() }
            while let group = await nextGroup() {
                await settle(group, unresolved: [], attempt: 1)
                state.withLock { $0.executing = [] }
            }
            group.cancelAll()
        }
    }

    /// What the next transaction is made of; `nil` when there is nothing more to do.
    private func nextGroup() async -> [PendingWork]? {
        while true {
            let (group, isOver) = state.withLock { state in
                (takeGroup(from: &state), state.isStopping && state.queue.isEmpty)
            }
            if !group.isEmpty { return group }
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

    private func takeGroup(from state: inout State) -> [PendingWork] {
        var group: [PendingWork] = []
        var size = 0
        var bytes = 0
        while let next = state.queue.first {
            guard
                group.isEmpty
                    || size + next.size <= limits.maxBatch
                        && bytes + next.weight <= limits.maxBatchBytes
            else { break }
            state.dequeueFirst()
            size += next.size
            bytes += next.weight
            group.append(next)
        }
        state.executing = group
        return group
    }
}

// MARK: - Taking a group through the store

extension Sequencer {
    /// How often old refusals are forgotten.
    private static let pruneInterval: Duration = .seconds(10)

    private func settle(
        _ group: [PendingWork], unresolved: Set<Digest>, attempt: Int
    ) async {
        // What may have been committed already is still looked into.
        if isAbandoned, unresolved.isEmpty {
            for pending in group { pending.finish(.failure(.stopping)) }
            return
        }
        let work = group.map(\.work)
        let prunes = isPruneDue()
        let sought = Mutex(unresolved)
        do {
            let result = try await store.write { [executor] transaction in
                try executor.execute(
                    work, unresolved: unresolved, prunes: prunes, in: transaction
                ) { missing in
                    sought.withLock { $0.formUnion(missing) }
                }
            }
            note { statistics in
                statistics.batches += 1
                for (pending, outcome) in zip(group, result.outcomes) {
                    statistics.commands += Int64(pending.work.commands)
                    if case .sweep(let count) = outcome { statistics.sweptHolds += Int64(count) }
                }
                statistics.isHealthy = true
            }
            // More may come than are forgotten at a time: then the next transaction goes on.
            if result.prunesAgain { state.withLock { $0.lastPrune = nil } }
            let token = ConsistencyToken(result.head)
            for (pending, outcome) in zip(group, result.outcomes) {
                pending.finish(.success((outcome, token)))
            }
            announce(result.head)
        } catch StoreError.commitUnknown {
            report(StoreError.commitUnknown)
            note { $0.unknownCommits += 1 }
            await resolve(group, unresolved: sought.withLock { $0 }, attempt: attempt)
        } catch StoreError.rejected(let reason) {
            report(StoreError.rejected(reason: reason))
            await isolate(group, unresolved: unresolved, attempt: attempt)
        } catch {
            report(error)
            note { statistics in
                statistics.failures += 1
                statistics.isHealthy = false
            }
            if unresolved.isEmpty {
                for pending in group { pending.finish(.failure(.unavailable)) }
            } else {
                await resolve(group, unresolved: unresolved, attempt: attempt)
            }
        }
    }

    /// Finds out what an unknown commit did, by doing the same again: under the head's lock the
    /// keys say which commands are in the log, and those that are not are decided anew.
    private func resolve(
        _ group: [PendingWork], unresolved: Set<Digest>, attempt: Int
    ) async {
        guard attempt < limits.resolveAttempts, !isAbandoned else {
            for pending in group { pending.finish(.failure(.timedOut)) }
            return
        }
        try? await Task.sleep(for: .milliseconds(20 << attempt))
        await settle(group, unresolved: unresolved, attempt: attempt + 1)
    }

    /// Halves a group that the database refuses until the culprit stands alone, so that its
    /// neighbours do not fail with it. A batch is never halved: it fails whole.
    private func isolate(
        _ group: [PendingWork], unresolved: Set<Digest>, attempt: Int
    ) async {
        guard group.count > 1 else {
            note { $0.failures += 1 }
            for pending in group { pending.finish(.failure(.rejected)) }
            return
        }
        let middle = group.count / 2
        await settle(Array(group[..<middle]), unresolved: unresolved, attempt: attempt)
        await settle(Array(group[middle...]), unresolved: unresolved, attempt: attempt)
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
            let (waiting, executing, keys) = state.withLock { state in
                var waiting: [PendingWork] = []
                // Deadlines are in the order of the queue, since all callers wait equally long.
                while let first = state.queue.first, first.deadline <= now {
                    state.dequeueFirst()
                    waiting.append(first)
                }
                let keys =
                    waiting.isEmpty ? [] : Set(state.executing.lazy.flatMap(\.work.keys))
                return (waiting, state.executing.filter { $0.deadline <= now }, keys)
            }
            for pending in waiting {
                let isInFlight = !keys.isDisjoint(with: pending.work.keys)
                pending.finish(.failure(isInFlight ? .inFlight : .timedOutInQueue))
            }
            for pending in executing { pending.finish(.failure(.timedOut)) }
        }
    }
}
