import ArgumentParser
import Foundation

/// Balances at an instant: a long history must not make them slower.
struct HistoryScenario {
    private static let shortHistory = 100

    var options: BenchOptions
    var serveOptions: [String]

    private struct Report: Codable {
        var machine: Machine
        var entries: [Int]
        var latency: [Latency]
        var ratioOfMedians: Double
        var wrongAnswers: Int
        var conservation: Conservation
        var verification: String?
    }

    private struct Outcome {
        var latencies: [Latency]
        var wrong: Int
        var conservation: Conservation
    }

    func run() async throws {
        let (outcome, verification) = try await options.withTarget(serveOptions: serveOptions) {
            try await measure(on: $0)
        }
        let entries = [Self.shortHistory, options.entries]
        let medians = outcome.latencies.map(\.p50)
        let ratio = Double(medians[1]) / Double(max(1, medians[0]))
        var lines = ["GET /v1/wallets/{id}/balance?at=T at random T, one connection", ""]
        for (count, latency) in zip(entries, outcome.latencies) {
            lines.append(
                "\(Figure.grouped(count)) entries".padding(
                    toLength: 18, withPad: " ", startingAt: 0)
                    + "\(latency.text)  of \(Figure.grouped(latency.count))")
        }
        lines.append("median, long : short  \(Figure.short(ratio))")
        lines.append("wrong answers         \(outcome.wrong)")
        lines += outcome.conservation.lines
        if let verification { lines.append("verify        \(verification)") }
        try options.publish(
            lines,
            Report(
                machine: Machine(), entries: entries, latency: outcome.latencies,
                ratioOfMedians: ratio, wrongAnswers: outcome.wrong,
                conservation: outcome.conservation, verification: verification))
        guard outcome.conservation.holds, outcome.wrong == 0 else { throw ExitCode(1) }
    }

    private func measure(on target: Target) async throws -> Outcome {
        let load = options.load
        let generator = try await LoadGenerator(
            target, wallets: 2, timeout: load.timeout, seed: load.seed)
        // Filled over many connections, measured over one: what counts is one answer's time.
        try await generator.connect(load.connections)
        try await generator.openWallets()
        try await generator.deposit(1, counts: [(0, Self.shortHistory), (1, options.entries)])
        let spans = try await generator.spans()
        await generator.disconnect()
        try await generator.connect(1)
        let (latencies, wrong) = try await generator.measure(
            spans, warmup: load.warmup, duration: load.duration)
        let conservation = try await generator.check()
        await generator.disconnect()
        return Outcome(latencies: latencies, wrong: wrong, conservation: conservation)
    }
}
