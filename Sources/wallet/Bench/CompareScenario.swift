import ArgumentParser

/// What group commit is worth: the default batch against batches of one, alternating on services
/// and ledgers of their own, with the disk as it is and with a slow one imitated. And what bulk
/// users gain: single calls against requests of 1,000 transfers, from as many connections.
struct CompareScenario {
    private static let slowCommitMilliseconds = 3
    private static let bulkConnections = [1, 4]
    private static let bulkTransfers = 1_000

    var options: BenchOptions
    var serveOptions: [String]

    /// Runs in the same conditions, one pair after the other.
    private struct Row: Codable {
        var connections: Int
        var commitDelayMilliseconds: Int
        var grouped: [Measurement] = []
        var single: [Measurement] = []

        var ratio: Double {
            Figure.median(grouped.map(\.throughput))
                / max(1, Figure.median(single.map(\.throughput)))
        }
    }

    /// Single calls and batches from as many connections.
    private struct BulkRow: Codable {
        var connections: Int
        var calls: [Measurement] = []
        var batches: [Measurement] = []

        var ratio: Double {
            Figure.median(batches.map(\.throughput))
                / max(1, Figure.median(calls.map(\.throughput)))
        }
    }

    private struct Report: Codable {
        var machine: Machine
        var rows: [Row]
        var bulk: [BulkRow] = []
        var halfLoad: [Measurement]
        var conserved: Bool
    }

    func run() async throws {
        var report = Report(machine: Machine(), rows: [], halfLoad: [], conserved: true)
        let connections = options.connections.isEmpty ? [64, 256] : options.connections
        for delay in [0, Self.slowCommitMilliseconds] {
            for count in connections {
                report.rows.append(try await compare(count, delay, &report.conserved))
            }
        }
        for count in Self.bulkConnections {
            report.bulk.append(try await compareBulk(count, &report.conserved))
        }
        var load = options.load
        load.connections = connections[0]
        let peak = Figure.median(report.rows[0].grouped.map(\.throughput))
        load.rate = .perSecond(max(1, (peak / 2).rounded()))
        for repetition in 1...options.repetitions {
            say("half the peak, \(repetition) of \(options.repetitions)")
            report.halfLoad.append(try await measure(load, [], &report.conserved))
        }
        try options.publish(table(report, load), report)
        guard report.conserved else { throw ExitCode(1) }
    }

    private func compare(
        _ connections: Int, _ delay: Int, _ conserved: inout Bool
    ) async throws -> Row {
        var row = Row(connections: connections, commitDelayMilliseconds: delay)
        var load = options.load
        load.connections = connections
        load.rate = .max
        let slow = delay > 0 ? ["--commit-delay-ms", String(delay)] : []
        for repetition in 1...options.repetitions {
            say(
                "\(connections) connections, + \(delay) ms, \(repetition) of \(options.repetitions)"
            )
            row.grouped.append(try await measure(load, slow, &conserved))
            row.single.append(try await measure(load, slow + ["--max-batch", "1"], &conserved))
        }
        return row
    }

    private func compareBulk(
        _ connections: Int, _ conserved: inout Bool
    ) async throws -> BulkRow {
        var row = BulkRow(connections: connections)
        var calls = options.load
        calls.connections = connections
        calls.rate = .max
        calls.batch = 1
        var batches = calls
        batches.batch = Self.bulkTransfers
        for repetition in 1...options.repetitions {
            say(
                "calls and batches, \(connections) connections, \(repetition) of "
                    + "\(options.repetitions)")
            row.calls.append(try await measure(calls, [], &conserved))
            row.batches.append(try await measure(batches, [], &conserved))
        }
        return row
    }

    private func measure(
        _ load: Load, _ extra: [String], _ conserved: inout Bool
    ) async throws -> Measurement {
        let (outcome, _) = try await options.withTarget(serveOptions: serveOptions + extra) {
            try await LoadScenario.measure(load, on: $0)
        }
        if !outcome.conservation.holds {
            conserved = false
            say(outcome.conservation.lines.joined(separator: "\n"))
        }
        say("  \(Figure.grouped(outcome.measurement.throughput)) /s")
        return outcome.measurement
    }

    private func say(_ line: String) {
        StandardError.write(line + "\n")
    }

    /// Markdown for docs/performance.md.
    private func table(_ report: Report, _ half: Load) -> [String] {
        let machine = report.machine
        var lines = [
            "`\(machine.command)` on \(machine.cores) cores of \(machine.processor), Linux "
                + "\(machine.kernel), SQLite \(machine.sqlite); client and service share them.",
            "",
            "Transfers among \(Figure.grouped(half.wallets)) wallets, closed loop, medians of "
                + "\(options.repetitions) alternating runs of \(Figure.short(options.duration)) s "
                + "(lowest–highest).",
            "",
            "| connections | commit | batch | transfers/s | p50 | p99 | server CPU µs each "
                + "| grouped : single |",
            "|---:|---|---|---:|---:|---:|---:|---:|",
        ]
        for row in report.rows {
            let commit =
                row.commitDelayMilliseconds == 0
                ? "as the disk is" : "+ \(row.commitDelayMilliseconds) ms"
            lines.append(
                "| \(row.connections) | \(commit) | default \(cells(row.grouped)) "
                    + "| \(Figure.short(row.ratio)) |")
            lines.append("| \(row.connections) | \(commit) | 1 \(cells(row.single)) | |")
        }
        lines += [
            "",
            "Single calls against requests of \(Figure.grouped(Self.bulkTransfers)) transfers; "
                + "latencies are those of a request:",
            "",
            "| connections | request | transfers/s | p50 | p99 | server CPU µs each "
                + "| batches : calls |",
            "|---:|---|---:|---:|---:|---:|---:|",
        ]
        for row in report.bulk {
            lines.append("| \(row.connections) | one transfer \(cells(row.calls)) | |")
            lines.append(
                "| \(row.connections) | \(Figure.grouped(Self.bulkTransfers)) transfers "
                    + "\(cells(row.batches)) | \(Figure.short(row.ratio)) |")
        }
        lines += [
            "",
            "Open loop at half of the peak (\(half.rate) /s due, \(half.connections) connections, "
                + "latency from when a request was due):",
            "",
            "| transfers/s | p50 | p99 | p99.9 | server CPU µs each | not sent |",
            "|---:|---:|---:|---:|---:|---:|",
            "| \(throughput(report.halfLoad)) | \(latency(report.halfLoad, \.p50)) "
                + "| \(latency(report.halfLoad, \.p99)) | \(latency(report.halfLoad, \.p999)) "
                + "| \(cpu(report.halfLoad)) "
                + "| \(report.halfLoad.reduce(0) { $0 + $1.notSent }) |",
            "",
            report.conserved
                ? "After every run the wallets held exactly what was acknowledged, and `wallet "
                    + "verify` found the ledger sound."
                : "**The wallets did not hold what was acknowledged.**",
        ]
        return lines
    }

    private func cells(_ runs: [Measurement]) -> String {
        "| \(throughput(runs)) | \(latency(runs, \.p50)) | \(latency(runs, \.p99)) | \(cpu(runs))"
    }

    private func throughput(_ runs: [Measurement]) -> String {
        let all = runs.map(\.throughput)
        return "\(Figure.grouped(Figure.median(all))) (\(Figure.grouped(all.min() ?? 0))–"
            + "\(Figure.grouped(all.max() ?? 0)))"
    }

    private func latency(_ runs: [Measurement], _ member: KeyPath<Latency, UInt64>) -> String {
        Figure.latency(
            UInt64(Figure.median(runs.map { Double($0.latency[keyPath: member]) })))
    }

    private func cpu(_ runs: [Measurement]) -> String {
        Figure.tenths(Figure.median(runs.compactMap(\.serverCPUMicrosecondsPerRequest)))
    }
}
