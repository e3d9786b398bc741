import Synchronization
package import WalletCore

/// A clock that stands still until it is told otherwise.
package final class ManualClock: Sendable {
    /// 2026-01-15T10:30:00Z.
    package static let start = Instant(microseconds: 1_768_473_000_000_000)

    private let instant: Mutex<Instant>

    package init(_ instant: Instant = ManualClock.start) {
        self.instant = Mutex(instant)
    }

    package var now: Instant { instant.withLock { $0 } }

    /// Moves the clock, backwards too.
    package func advance(byMicroseconds microseconds: Int64) {
        instant.withLock { $0 = $0.advanced(byMicroseconds: microseconds) }
    }
}
