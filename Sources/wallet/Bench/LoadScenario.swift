import ArgumentParser
import NIOCore

/// One load on one service: make wallets ready, run, settle, check.
struct LoadScenario {
    var options: BenchOptions
    var serveOptions: [String]

    struct Outcome: Codable {
        var measurement: Measurement
        var conservation: Conservation
    }

    private struct Report: Codable {
        var machine: Machine
        var load: String
        var measurement: Measurement
        var conservation: Conservation
        var verification: String?
    }

    func run() async throws {
        let load = options.load
        let (outcome, verification) = try await options.withTarget(serveOptions: serveOptions) {
            try await Self.measure(load, on: $0)
        }
        var lines = [load.text, ""] + outcome.measurement.lines + outcome.conservation.lines
        if let verification { lines.append("verify        \(verification)") }
        try options.publish(
            lines,
            Report(
                machine: Machine(), load: load.text, measurement: outcome.measurement,
                conservation: outcome.conservation, verification: verification))
        guard outcome.conservation.holds else { throw ExitCode(1) }
    }

    /// Makes wallets ready, runs a load, settles what is not known and checks the books.
    static func measure(_ load: Load, on target: Target) async throws -> Outcome {
        let generator = try await LoadGenerator(
            target, wallets: load.wallets, timeout: load.timeout, seed: load.seed)
        try await generator.connect(load.connections)
        try await generator.openWallets()
        try await generator.deposit(load.funds, counts: (0..<load.wallets).map { ($0, 1) })
        let measurement = try await generator.run(load)
        let conservation = try await generator.check()
        await generator.disconnect()
        return Outcome(measurement: measurement, conservation: conservation)
    }
}

extension Load {
    /// The load in one line.
    var text: String {
        let choice = zipf == 0 ? "uniform" : "Zipf \(Figure.short(zipf))"
        let pace =
            switch rate {
            case .max: "closed loop"
            case .perSecond(let rate): "open loop at \(Figure.short(rate)) /s"
            }
        let grouping = batch > 1 ? " in batches of \(batch)" : ""
        let seconds = Figure.short(Double(duration.nanoseconds) / 1e9)
        let before = Figure.short(Double(warmup.nanoseconds) / 1e9)
        return
            "\(mix)\(grouping), \(Figure.grouped(wallets)) wallets (\(choice)), "
            + "\(connections) connections, "
            + "\(pace), \(seconds) s after \(before) s of warm-up"
    }
}
