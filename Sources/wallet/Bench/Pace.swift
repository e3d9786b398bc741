import NIOCore

/// When the requests of a workload go out.
enum Pace {
    /// All that there are, as fast as the answers come.
    case everything
    /// As fast as the answers come, until a time.
    case closed(until: NIODeadline)
    /// By the clock.
    case open(Schedule)
}

/// When the requests of an open loop are due: k at `start + k × interval`, whatever happens.
struct Schedule {
    /// Requests that wait for a free connection at most; older ones are given up.
    static let largestBacklog = 100_000
    /// How long after the end what is due may still be sent.
    static let grace = TimeAmount.seconds(5)

    private let start: NIODeadline
    private let end: NIODeadline
    private let nanoseconds: Double
    private let count: Int
    private var next = 0
    /// Requests that were due and never sent.
    private(set) var skipped = 0

    init(perSecond rate: Double, from start: NIODeadline, for duration: TimeAmount) {
        self.start = start
        end = start + duration
        nanoseconds = 1e9 / rate
        count = Int(Double(duration.nanoseconds) / nanoseconds)
    }

    var isExhausted: Bool { next >= count }

    /// When the next one is due; nothing at the end.
    var nextDue: NIODeadline? { isExhausted ? nil : due(next) }

    /// Takes the next one, if it is due, and says since when.
    mutating func take(at now: NIODeadline) -> NIODeadline? {
        if now > end + Self.grace {
            skipped += count - next
            next = count
        }
        guard !isExhausted, now >= due(next) else { return nil }
        let elapsed = Double((now - start).nanoseconds)
        let waiting = min(count, Int(elapsed / nanoseconds) + 1) - next
        if waiting > Self.largestBacklog {
            skipped += waiting - Self.largestBacklog
            next += waiting - Self.largestBacklog
        }
        defer { next += 1 }
        return due(next)
    }

    private func due(_ index: Int) -> NIODeadline {
        start + .nanoseconds(Int64(Double(index) * nanoseconds))
    }
}
