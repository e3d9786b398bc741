import Synchronization
import WalletCore

/// Keeps an issuer's public keys at hand: fetched on a schedule, and out of turn when a token names
/// a key that is not among them.
///
/// All fetching is done by ``run()``, one fetch at a time. Whoever needs an unknown key waits for
/// the next result if one may be asked for now, and is refused at once if not: made-up key
/// identifiers cause one fetch in ``Limits/spacing``, however many they are.
package final class KeyRing: Sendable {
    package struct Limits: Hashable, Sendable {
        /// How often keys are fetched.
        package var interval: Duration = .seconds(300)
        /// How often it is tried again after a failure.
        package var retry: Duration = .seconds(10)
        /// The least time between two fetches, whatever tokens say.
        package var spacing: Duration = .seconds(5)
        /// How long keys are trusted when no newer ones can be fetched.
        package var trust: Duration = .seconds(3_600)
        /// How many requests wait for a fetch at most; more are refused.
        package var line = 1_024

        package init() {}
    }

    private struct State {
        var keys: KeySet?
        var fetchedAt: ContinuousClock.Instant?
        var attemptedAt: ContinuousClock.Instant?
        /// From the moment when a fetch is asked for until it has ended.
        var isFetching = false
        var hasEnded = false
        var waiting: [CheckedContinuation<Void, Never>] = []

        /// Notes that a fetch is wanted; false if one is under way already.
        mutating func askForFetch(at instant: ContinuousClock.Instant) -> Bool {
            guard !isFetching else { return false }
            isFetching = true
            attemptedAt = instant
            return true
        }
    }

    private let limits: Limits
    private let now: @Sendable () -> ContinuousClock.Instant
    private let fetch: @Sendable () async throws -> [UInt8]
    private let report: @Sendable (any Error) -> Void
    private let state = Mutex(State())
    private let demands = AsyncStream.makeStream(
        of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameters:
    ///   - now: the clock that intervals are measured by.
    ///   - fetch: reads the set of keys; must end by itself within seconds.
    ///   - report: is told why a fetch failed.
    package init(
        limits: Limits = Limits(),
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        fetch: @escaping @Sendable () async throws -> [UInt8],
        report: @escaping @Sendable (any Error) -> Void
    ) {
        self.limits = limits
        self.now = now
        self.fetch = fetch
        self.report = report
    }

    /// Fetches keys until the task is cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.keepTime() }
            for await _ in demands.stream { await refresh() }
            group.cancelAll()
        }
        state.withLock { $0.hasEnded = true }
        wake()
    }

    private func keepTime() async {
        while !Task.isCancelled {
            let asks = state.withLock { state in
                let isDue =
                    state.fetchedAt.map { now() - $0 >= limits.interval } ?? true
                return isDue && state.askForFetch(at: now())
            }
            if asks { demands.continuation.yield() }
            do { try await Task.sleep(for: min(limits.retry, limits.interval)) } catch { return }
        }
    }

    private func refresh() async {
        do {
            let keys = try await KeySet(json: fetch())
            state.withLock { state in
                state.keys = keys
                state.fetchedAt = state.attemptedAt
            }
        } catch {
            report(error)
        }
        state.withLock { $0.isFetching = false }
        wake()
    }

    private func wake() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

extension KeyRing {
    /// The keys that are trusted now, newer ones if these do not have the one that is named.
    ///
    /// - Returns: `nil` while there are none: never fetched, or for too long.
    func keys(for keyID: String) async -> KeySet? {
        if let keys = trusted(), keys.contains(keyID) { return keys }
        await awaitNewer()
        return trusted()
    }

    private func trusted() -> KeySet? {
        state.withLock { state in
            guard let fetchedAt = state.fetchedAt, now() - fetchedAt < limits.trust
            else { return nil }
            return state.keys
        }
    }

    private func awaitNewer() async {
        await withCheckedContinuation { continuation in
            let (waits, asks) = state.withLock { state in
                let isSpaced =
                    state.attemptedAt.map { now() - $0 >= limits.spacing } ?? true
                guard !state.hasEnded, state.isFetching || isSpaced,
                    state.waiting.count < limits.line
                else { return (false, false) }
                state.waiting.append(continuation)
                return (true, state.askForFetch(at: now()))
            }
            if asks { demands.continuation.yield() }
            if !waits { continuation.resume() }
        }
    }
}
