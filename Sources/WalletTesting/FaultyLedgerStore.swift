package import LedgerEngine
import Synchronization

/// A store in front of another that fails as it is told: before, during or after the commit.
package final class FaultyLedgerStore: LedgerStore {
    package enum Fault: Hashable, Sendable {
        /// Fails before anything is done.
        case unavailable
        /// The commit happens, and its answer is lost.
        case lostAfterCommit
        /// The connection is lost, and nothing was committed.
        case lostBeforeCommit
    }

    private let base: any LedgerStore
    private let nextFault: Mutex<@Sendable () -> Fault?>
    private let rejects: Mutex<@Sendable (Append) -> Bool>
    private let gate: Gate?

    /// - Parameters:
    ///   - gate: holds writes until it is opened.
    ///   - nextFault: is asked at each write.
    package init(
        _ base: any LedgerStore, gate: Gate? = nil,
        nextFault: @escaping @Sendable () -> Fault? = { nil }
    ) {
        self.base = base
        self.gate = gate
        self.nextFault = Mutex(nextFault)
        rejects = Mutex { _ in false }
    }

    /// Lets the database refuse what matches, as a constraint would.
    package func reject(_ matches: @escaping @Sendable (Append) -> Bool) {
        rejects.withLock { $0 = matches }
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerSnapshot) throws -> Value
    ) async throws -> Value {
        try await base.read(body)
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerTransaction) throws -> Value
    ) async throws -> Value {
        await gate?.pass()
        let fault = nextFault.withLock { $0 }()
        let rejects = rejects.withLock { $0 }
        switch fault {
        case .unavailable: throw StoreError.unavailable(reason: "a fault was injected")
        case .lostBeforeCommit: throw StoreError.commitUnknown
        case .lostAfterCommit, nil: break
        }
        let value = try await base.write { transaction in
            try body(RejectingTransaction(base: transaction, rejects: rejects))
        }
        if fault == .lostAfterCommit { throw StoreError.commitUnknown }
        return value
    }
}

/// Keeps whoever passes waiting while it is closed.
package final class Gate: Sendable {
    private struct State {
        var isOpen: Bool
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    package init(isOpen: Bool) {
        state = Mutex(State(isOpen: isOpen))
    }

    package func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// How many wait now.
    package var waiters: Int { state.withLock { $0.waiting.count } }

    /// Waits until the gate is open.
    package func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}
