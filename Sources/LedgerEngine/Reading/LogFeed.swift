import Synchronization

/// Tells those who follow the log how far it has come, within this process and at once.
///
/// It carries no events: whoever is told reads the log himself, by pages and at his own pace, so
/// that a slow follower costs nobody anything. What other processes commit is not announced; the
/// tick of every ``tickInterval`` is the reminder to look for it.
package final class LogFeed: Sendable {
    /// How often followers are woken although nothing was announced.
    package static let tickInterval: Duration = .seconds(1)

    /// Why a follower was woken.
    package enum Signal: Hashable, Sendable {
        /// The log has come further than he asked for.
        case moved
        /// It is time to look for oneself.
        case tick
        /// There will be no more signals, or the follower's task was cancelled.
        case stopped
    }

    private typealias Follower = CheckedContinuation<Signal, Never>

    private struct State {
        var latest: Int64 = 0
        var isStopped = false
        var nextID: UInt64 = 0
        var waiting: [UInt64: Follower] = [:]

        mutating func takeWaiting() -> [Follower] {
            defer { waiting = [:] }
            return Array(waiting.values)
        }
    }

    private let state = Mutex(State())

    package init() {}

    /// The last position that was announced; 0 before the first.
    package var latest: Int64 { state.withLock { $0.latest } }

    package var isStopped: Bool { state.withLock { $0.isStopped } }

    /// How many followers wait now.
    package var waiters: Int { state.withLock { $0.waiting.count } }

    /// Wakes the followers, if this is further than what was announced before.
    package func announce(_ position: Int64) {
        let waiting: [Follower] = state.withLock { state in
            guard position > state.latest else { return [] }
            state.latest = position
            return state.takeWaiting()
        }
        for follower in waiting { follower.resume(returning: .moved) }
    }

    /// Wakes the followers to look for themselves.
    package func tick() {
        for follower in state.withLock({ $0.takeWaiting() }) { follower.resume(returning: .tick) }
    }

    /// Wakes the followers for the last time.
    package func stop() {
        let waiting = state.withLock { state in
            state.isStopped = true
            return state.takeWaiting()
        }
        for follower in waiting { follower.resume(returning: .stopped) }
    }

    /// Ticks until the task is cancelled, and then stops.
    package func run() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: LogFeed.tickInterval)
            tick()
        }
        stop()
    }

    /// Waits for something past the position to be announced, or for the next tick.
    package func next(after position: Int64) async -> Signal {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let signal: Signal? = state.withLock { state in
                    // A cancellation from here on finds the follower among those who wait.
                    if state.isStopped || Task.isCancelled { return .stopped }
                    if state.latest > position { return .moved }
                    state.waiting[id] = continuation
                    return nil
                }
                if let signal { continuation.resume(returning: signal) }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(returning: .stopped)
        }
    }
}
