import ArgumentParser
import NIOCore

/// What a bench does.
enum Scenario: String, ExpressibleByArgument, CaseIterable {
    /// One load, measured.
    case load
    /// Balances at an instant, of a short and of a long history.
    case history
    /// What group commit is worth: the default batch against batches of one.
    case compare
}

/// The options of `bench`, as they were typed.
struct BenchOptions: ParsableArguments {
    @Option(help: "The service to load.")
    var url = "http://127.0.0.1:8080"
    @Option(help: "An API key with read and write; WALLET_BENCH_KEY in the environment will do.")
    var key: String?
    @Flag(
        name: .customLong("self"),
        help: """
            Start a service on a ledger of its own, and stop, verify and remove it afterwards. \
            Options that bench does not know are given to it: --max-batch 1.
            """)
    var ownServer = false
    @Option(help: "The service's process id, to show its CPU and memory (known with --self).")
    var pid: Int32?
    @Option(help: "load, history or compare.")
    var scenario = Scenario.load
    @Option(help: "Connections, each with one request under way (64; compare: 64 and 256).")
    var connections: [Int] = []
    @Option(help: "Seconds to measure.")
    var duration = 10.0
    @Option(help: "Seconds of the same load before that.")
    var warmup = 2.0
    @Option(
        help: """
            Requests a second, due by the clock whatever the answers do (latency counts from when \
            a request was due); or max: each connection sends as soon as it has its answer.
            """)
    var rate = Rate.max
    @Option(help: "Wallets to open for the run.")
    var wallets = 1_000
    @Option(help: "Exponent of Zipf's law by which wallets are chosen; 0: all alike.")
    var zipf = 0.0
    @Option(help: "Weights of transfer, deposit, withdrawal, balance, wallet, transactions.")
    var mix = Mix.transfers
    @Option(
        help: """
            Transfers in one request, 1 to 1000, as an atomic batch; throughput and CPU are \
            counted for each transfer.
            """)
    var batch = 1
    @Option(help: "Minor units that each wallet starts with.")
    var funds: Int64 = 1_000_000
    @Option(help: "Seconds that an answer may take.")
    var timeout = 10.0
    @Option(help: "Makes the choice of wallets and amounts reproducible.")
    var seed: UInt64 = 1
    @Option(help: "Entries of the long history (scenario history).")
    var entries = 100_000
    @Option(help: "Runs of each kind, of which the median is shown (scenario compare).")
    var repetitions = 3
    @Option(help: "Write the results as JSON to a file, or to standard output: -.")
    var json: String?

    func validate() throws {
        for (name, value, range) in [
            ("duration", duration, 0.1...86_400), ("warmup", warmup, 0...3_600),
            ("timeout", timeout, 0.1...600), ("zipf", zipf, 0...10),
            ("wallets", Double(wallets), 2...1_000_000), ("funds", Double(funds), 1...1e12),
            ("entries", Double(entries), 100...10_000_000),
            ("repetitions", Double(repetitions), 1...100),
        ] where !range.contains(value) {
            throw ValidationError(
                "--\(name) must be from \(Figure.short(range.lowerBound)) to "
                    + "\(Figure.short(range.upperBound)).")
        }
        guard (1...1_000).contains(batch) else {
            throw ValidationError("--batch must be from 1 to 1000.")
        }
        guard batch == 1 || Mix.kinds.allSatisfy({ $0 == .transfer || !mix.contains($0) }) else {
            throw ValidationError("Only transfers come in a --batch; leave --mix out.")
        }
        guard connections.allSatisfy({ (1...10_000).contains($0) }) else {
            throw ValidationError("--connections must be from 1 to 10000.")
        }
        guard connections.count <= 1 || scenario == .compare else {
            throw ValidationError("Only --scenario compare takes --connections more than once.")
        }
    }

    var load: Load {
        Load(
            connections: connections.first ?? 64, duration: Self.time(duration),
            warmup: Self.time(warmup), rate: rate, wallets: wallets, zipf: zipf, mix: mix,
            batch: batch,
            funds: funds, timeout: Self.time(timeout), seed: seed)
    }

    private static func time(_ seconds: Double) -> TimeAmount {
        .nanoseconds(Int64(seconds * 1e9))
    }
}
