import Logging
import Synchronization

/// Logs failures of transactions; one that goes on and on is a line a minute.
final class FailureLog: Sendable {
    private struct Last {
        var text: String
        var at: ContinuousClock.Instant
    }

    /// How long the same failure is not said again.
    private static let silence = Duration.seconds(60)

    private let logger: Logger
    private let last = Mutex<Last?>(nil)

    init(_ logger: Logger) {
        self.logger = logger
    }

    func report(_ error: any Error) {
        let text = "\(error)"
        let now = ContinuousClock.now
        let isNew = last.withLock { last in
            if let last, last.text == text, now - last.at < FailureLog.silence { return false }
            last = Last(text: text, at: now)
            return true
        }
        if isNew { logger.error("a transaction failed", metadata: ["error": "\(text)"]) }
    }
}
