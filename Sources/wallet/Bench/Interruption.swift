import ArgumentParser
import UnixSignals

/// Runs work that Ctrl-C ends in good order: what it started is stopped, what it made removed.
enum Interruption {
    static func guarded(_ work: @escaping @Sendable () async throws -> Void) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await work()
                return false
            }
            group.addTask {
                for await _ in signals { return true }
                return false
            }
            // The first to end ends the other; the work still cleans up before we leave.
            let wasInterrupted = try await group.next() ?? false
            group.cancelAll()
            guard wasInterrupted else { return }
            StandardError.write("interrupted\n")
            while let _ = try? await group.next() {}
            throw ExitCode(130)
        }
    }
}
