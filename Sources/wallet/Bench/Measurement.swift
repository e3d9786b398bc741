import Foundation
import Histogram
import NIOCore

/// How long answers took, in microseconds, from when the request was due.
struct Latency: Codable {
    var p50: UInt64
    var p95: UInt64
    var p99: UInt64
    var p999: UInt64
    var max: UInt64
    var mean: Double
    var count: UInt64

    /// - Parameter unit: what the histogram counts, in microseconds.
    init(_ histogram: Histogram<UInt64>, unit: Double = 1) {
        let value: (Double) -> UInt64 = {
            UInt64(Double(histogram.valueAtPercentile($0)) * unit)
        }
        count = histogram.totalCount
        p50 = value(50)
        p95 = value(95)
        p99 = value(99)
        p999 = value(99.9)
        max = count == 0 ? 0 : UInt64(Double(histogram.max) * unit)
        mean = count == 0 ? 0 : histogram.mean * unit
    }

    var text: String {
        let parts = [("p50", p50), ("p95", p95), ("p99", p99), ("p99.9", p999), ("max", max)]
        return parts.map { "\($0) \(Figure.latency($1))" }.joined(separator: "  ")
    }
}

/// What one run showed.
struct Measurement: Codable {
    var seconds: Double
    /// 2xx answers a second, each transfer of a batch counted.
    var throughput: Double
    var latency: Latency
    var latencyByKind: [String: Latency]
    /// Answers by status, of the requests that were due in the measured time.
    var statuses: [String: Int]
    var refusals: Int
    /// Answers that are neither 2xx nor 422, and requests without an answer.
    var errors: Int
    var lost: Int
    /// Requests of an open loop that were due and could not be sent.
    var notSent: Int
    /// Of a batch: for each transfer.
    var serverCPUMicrosecondsPerRequest: Double?
    var clientCPUMicrosecondsPerRequest: Double?
    var memory: Memory?

    /// The service's resident memory.
    struct Memory: Codable {
        var firstKilobytes: Int
        var medianKilobytes: Int
        var lastKilobytes: Int
        var peakKilobytes: Int
        var samples: [Monitor.Sample]
    }

    init(_ recorder: Recorder, _ monitor: Monitor, notSent: Int) {
        seconds = Double((recorder.end - recorder.start).nanoseconds) / 1e9
        throughput = Double(recorder.succeeded) / seconds
        latency = Latency(recorder.latency)
        latencyByKind = Dictionary(
            uniqueKeysWithValues: recorder.latencyByKind.map { ($0.rawValue, Latency($1)) })
        statuses = [:]
        for (status, count) in recorder.byStatus.enumerated() where count > 0 {
            statuses[String(status)] = count
        }
        refusals = recorder.byStatus[422]
        lost = recorder.lost
        let answered = recorder.byStatus.reduce(0, +)
        errors = answered - recorder.byStatus[200..<300].reduce(0, +) - refusals + lost
        self.notSent = notSent
        let perRequest: (ProcessUsage?, ProcessUsage?) -> Double? = { start, end in
            guard let start, let end, recorder.answered > 0 else { return nil }
            return (end.cpuMicroseconds - start.cpuMicroseconds) / Double(recorder.answered)
        }
        serverCPUMicrosecondsPerRequest = perRequest(monitor.serverAtStart, monitor.serverAtEnd)
        clientCPUMicrosecondsPerRequest = perRequest(monitor.clientAtStart, monitor.clientAtEnd)
        if let first = monitor.memory.first, let last = monitor.serverAtEnd {
            let middle = monitor.memory.map { Double($0.residentKilobytes) }
            memory = Memory(
                firstKilobytes: first.residentKilobytes,
                medianKilobytes: Int(Figure.median(middle)),
                lastKilobytes: last.residentKilobytes, peakKilobytes: last.peakKilobytes,
                samples: monitor.memory)
        }
    }

    var lines: [String] {
        var lines = ["throughput    \(Figure.grouped(throughput)) /s"]
        lines.append("latency       \(latency.text)")
        for (kind, latency) in latencyByKind.sorted(by: { $0.key < $1.key }) {
            lines.append(
                "  \(kind.padding(toLength: 12, withPad: " ", startingAt: 0))\(latency.text)")
        }
        let counts = statuses.sorted { $0.key < $1.key }
            .map { "\($0.key): \(Figure.grouped($0.value))" }
        lines.append("answers       \(counts.joined(separator: "  "))")
        lines.append("refusals      \(Figure.grouped(refusals)) (422)")
        lines.append(
            "errors        \(Figure.grouped(errors)), of these without an answer "
                + Figure.grouped(lost))
        if notSent > 0 {
            lines.append(
                "not sent      \(Figure.grouped(notSent)): these are in no percentile; the rate is "
                    + "more than the service can take")
        }
        let cpu = [
            ("server", serverCPUMicrosecondsPerRequest),
            ("client", clientCPUMicrosecondsPerRequest),
        ].compactMap { name, value in value.map { "\(name) \(Figure.tenths($0)) µs" } }
        if !cpu.isEmpty { lines.append("CPU/request   \(cpu.joined(separator: "  "))") }
        if let memory {
            lines.append(
                "server RSS    first \(Figure.megabytes(memory.firstKilobytes))  median "
                    + "\(Figure.megabytes(memory.medianKilobytes))  last "
                    + "\(Figure.megabytes(memory.lastKilobytes))  peak "
                    + Figure.megabytes(memory.peakKilobytes))
        }
        return lines
    }
}

/// Whether the wallets hold what the acknowledged movements left in them.
struct Conservation: Codable {
    var holds: Bool
    var wallets: Int
    var sumOfTotals: Int64
    var deposited: Int64
    var withdrawn: Int64
    /// Requests whose outcome was not known at the end of the run, and settled by sending the key
    /// again.
    var settled: Int
    /// Those that could not be settled.
    var unsettled: Int
    /// Wallets that do not hold what their own movements say, and wallets that could not be read.
    var wrongWallets: Int
    var unreadWallets: Int

    init(_ books: Books, totals: [Int64?], settled: Int) {
        wallets = totals.count
        // Wrapping: a service that answers nonsense is to be found out, not to end the bench.
        sumOfTotals = totals.reduce(0) { $0 &+ ($1 ?? 0) }
        deposited = books.deposited
        withdrawn = books.withdrawn
        self.settled = settled
        unsettled = books.unknown.count + books.forgotten
        unreadWallets = totals.count { $0 == nil }
        wrongWallets = zip(totals, books.expected).count { $0 != nil && $0 != $1 }
        holds =
            unsettled == 0 && unreadWallets == 0 && wrongWallets == 0
            && sumOfTotals == deposited - withdrawn
    }

    var lines: [String] {
        let sum = "\(Figure.grouped(sumOfTotals)) in \(Figure.grouped(wallets)) wallets"
        let books =
            "\(Figure.grouped(deposited)) deposited − \(Figure.grouped(withdrawn)) withdrawn"
        var lines = ["conservation  \(holds ? "holds" : "DOES NOT HOLD"): \(sum), \(books)"]
        if settled + unsettled + wrongWallets + unreadWallets > 0 {
            lines.append(
                "              settled \(settled), not settled \(unsettled), wrong wallets "
                    + "\(wrongWallets), not read \(unreadWallets)")
        }
        return lines
    }
}
