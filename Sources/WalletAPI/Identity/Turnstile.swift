import Synchronization

/// Lets a few through at a time; the others wait in line, and a line that is full is refused.
package final class Turnstile: Sendable {
    private struct State {
        var inside = 0
        var waiting: [CheckedContinuation<Bool, Never>] = []
    }

    private let places: Int
    private let line: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - places: how many are inside at most.
    ///   - line: how many wait at most.
    package init(places: Int, line: Int) {
        self.places = places
        self.line = line
    }

    /// How many are inside, and how many wait.
    package var crowd: (inside: Int, waiting: Int) {
        state.withLock { ($0.inside, $0.waiting.count) }
    }

    private enum Entry { case free, wait, full }

    /// Runs the body as soon as there is room; `nil` where even the line is full.
    package func pass<Value: Sendable>(
        _ body: @Sendable () async throws -> Value
    ) async throws -> Value? {
        guard await enter() else { return nil }
        defer { leave() }
        return try await body()
    }

    private func enter() async -> Bool {
        await withCheckedContinuation { continuation in
            let entry = state.withLock { state -> Entry in
                if state.inside < places {
                    state.inside += 1
                    return .free
                }
                guard state.waiting.count < line else { return .full }
                state.waiting.append(continuation)
                return .wait
            }
            switch entry {
            case .free: continuation.resume(returning: true)
            case .wait: break
            case .full: continuation.resume(returning: false)
            }
        }
    }

    /// Gives the place to the one who has waited longest.
    private func leave() {
        let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard !state.waiting.isEmpty else {
                state.inside -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume(returning: true)
    }
}
