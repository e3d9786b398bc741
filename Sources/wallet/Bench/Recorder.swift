import Histogram
import NIOCore

/// Counts answers and measures how long they took, within a window of time.
///
/// A request belongs to the window if it was due in it; throughput counts answers that came in it.
final class Recorder {
    private static let longest: UInt64 = 3_600_000_000

    let start: NIODeadline
    let end: NIODeadline
    private(set) var latency = Recorder.histogram()
    private(set) var latencyByKind: [RequestKind: Histogram<UInt64>] = [:]
    private(set) var byStatus = Array(repeating: 0, count: 1_000)
    /// Requests whose connection broke or whose time was up.
    private(set) var lost = 0
    /// Answers 2xx that came in the window, each transfer of a batch counted.
    private(set) var succeeded = 0
    /// Answers of any kind that came in the window, each transfer of a batch counted.
    private(set) var answered = 0

    /// - Parameter separately: keep the kinds of requests apart too.
    init(from start: NIODeadline, to end: NIODeadline, kinds: [RequestKind]) {
        self.start = start
        self.end = end
        if kinds.count > 1 {
            for kind in kinds { latencyByKind[kind] = Self.histogram() }
        }
    }

    private static func histogram() -> Histogram<UInt64> {
        Histogram(highestTrackableValue: longest, numberOfSignificantValueDigits: .three)
    }

    func answered(
        _ request: BenchRequest, _ status: Int, due: NIODeadline, at now: NIODeadline
    ) {
        if now >= start, now < end {
            answered += request.size
            if (200..<300).contains(status) { succeeded += request.size }
        }
        guard due >= start else { return }
        byStatus[status] += 1
        let microseconds = UInt64(max(0, (now - due).nanoseconds) / 1_000)
        latency.record(min(microseconds, Self.longest))
        latencyByKind[request.kind]?.record(min(microseconds, Self.longest))
    }

    func lost(due: NIODeadline) {
        if due >= start { lost += 1 }
    }
}
