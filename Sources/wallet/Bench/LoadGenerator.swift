import NIOCore
import NIOPosix
import WalletCore

/// What a bench runs against.
struct Target: Sendable {
    var host: String
    var port: Int
    var key: String
    /// The service's process, where its CPU and memory can be looked at.
    var process: Int32?

    /// Reads `http://host:port`.
    init(url: String, key: String, process: Int32?) throws {
        var rest = Substring(url)
        guard rest.hasPrefix("http://") else {
            throw CommandFailure("--url is \(url.debugDescription); give http://HOST:PORT.")
        }
        rest = rest.dropFirst(7)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        let colon = rest.lastIndex { $0 == ":" || $0 == "]" } ?? rest.endIndex
        let hasPort = colon < rest.endIndex && rest[colon] == ":"
        let name = hasPort ? rest[..<colon] : rest
        guard let port = hasPort ? Int(rest[rest.index(after: colon)...]) : 80,
            (1...65_535).contains(port), !name.isEmpty, !name.contains("/")
        else { throw CommandFailure("--url is \(url.debugDescription); give http://HOST:PORT.") }
        host = String(name.drop { $0 == "[" }.prefix { $0 != "]" })
        self.port = port
        self.key = key
        self.process = process
    }
}

/// How a load looks.
struct Load: Sendable {
    var connections: Int
    var duration: TimeAmount
    var warmup: TimeAmount
    var rate: Rate
    var wallets: Int
    var zipf: Double
    var mix: Mix
    /// Transfers in one request; 1 for single calls.
    var batch: Int
    var funds: Int64
    var timeout: TimeAmount
    var seed: UInt64
}

/// Everything of a bench that touches its connections: an actor on their own event loop.
actor LoadGenerator {
    private nonisolated let loop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        // Safe: the loop's group lives as long as the program.
        unsafe loop.executor.asUnownedSerialExecutor()
    }

    private let target: Target
    private let seed: UInt64
    private let driver: Driver
    private let books: Books
    private let stop = StopFlag()
    private var settled = 0

    /// Resolves the address; nothing is connected yet.
    init(_ target: Target, wallets: Int, timeout: TimeAmount, seed: UInt64) async throws {
        loop = BenchLoop.shared.any()
        self.target = target
        self.seed = seed
        let address: SocketAddress
        do {
            address = try SocketAddress.makeAddressResolvingHost(target.host, port: target.port)
        } catch {
            throw CommandFailure("The host \(target.host) is not known.")
        }
        books = Books(wallets: wallets)
        let run = String(SystemEntropy.next(), radix: 36)
        driver = Driver(
            on: loop, address,
            RequestWriter(host: "\(target.host):\(target.port)", key: target.key, run: run),
            ids: WalletIDs(count: wallets), timeout: timeout, stop: stop)
    }

    func connect(_ count: Int) async throws {
        do {
            for _ in 0..<count { try driver.add(try await driver.connect().get()) }
        } catch {
            throw CommandFailure(
                "Nothing answers at http://\(target.host):\(target.port). Is the service running "
                    + "there? `wallet bench --self` starts one.")
        }
    }

    func disconnect() {
        driver.close()
    }

    /// Opens the wallets.
    func openWallets() async throws {
        let opening = OpenWallets(books, driver)
        _ = try await send(opening)
        if let failure = opening.failure { throw CommandFailure(failure.description) }
    }

    /// Deposits an amount so many times into each of some wallets.
    func deposit(_ amount: Int64, counts: [(wallet: Int, count: Int)]) async throws {
        let deposits = Deposits(books, amount, counts: counts)
        _ = try await send(deposits)
        if let failure = deposits.failure { throw CommandFailure(failure.description) }
    }

    /// Runs a load and measures it.
    func run(_ load: Load) async throws -> Measurement {
        let start = NIODeadline.now() + load.warmup
        let recorder = Recorder(
            from: start, to: start + load.duration,
            kinds: Mix.kinds.filter { load.mix.contains($0) })
        let monitor = Monitor(on: loop, recorder, server: target.process)
        monitor.start()
        defer { monitor.stop() }
        let traffic = Traffic(
            books, load.mix, Chooser(count: load.wallets, zipf: load.zipf), batch: load.batch,
            seed: seed)
        let notSent: Int
        switch load.rate {
        case .max:
            notSent = try await send(traffic, .closed(until: recorder.end), recorder)
        case .perSecond(let rate):
            let schedule = Schedule(
                perSecond: rate, from: start - load.warmup, for: load.warmup + load.duration)
            notSent = try await send(traffic, .open(schedule), recorder)
        }
        return Measurement(recorder, monitor, notSent: notSent)
    }

    /// Settles what is not known, reads all wallets and compares them with the books.
    func check() async throws -> Conservation {
        let unknown = books.unknown.count
        for _ in 0..<Self.rounds where !books.unknown.isEmpty {
            _ = try await send(Settlement(books))
            if !books.unknown.isEmpty { try await Task.sleep(for: .milliseconds(250)) }
        }
        let totals = Totals(wallets: books.expected.count)
        for _ in 0..<Self.rounds where !totals.isComplete {
            totals.beginRound()
            _ = try await send(totals)
        }
        return Conservation(
            books, totals: totals.totals, settled: unknown - books.unknown.count)
    }

    /// The time from each wallet's opening to its last change.
    func spans() async throws -> [PointInTime.Span] {
        let questions = Questions(
            books.expected.indices.map { BenchRequest(kind: .wallet, wallet: $0) })
        _ = try await send(questions)
        let spans: [PointInTime.Span] = questions.answers.compactMap { request, response in
            guard let from = response.text("createdAt").flatMap({ Instant(rfc3339: $0.utf8) }),
                let until = response.text("updatedAt").flatMap({ Instant(rfc3339: $0.utf8) })
            else { return nil }
            return PointInTime.Span(wallet: request.wallet, from: from, until: until)
        }
        guard spans.count == books.expected.count else {
            throw CommandFailure("The service does not say when its wallets were changed.")
        }
        return spans
    }

    /// Asks for balances at instants, of wallets in turn, over the one connection that there is.
    func measure(
        _ spans: [PointInTime.Span], warmup: TimeAmount, duration: TimeAmount
    ) async throws -> (latencies: [Latency], wrong: Int) {
        let cold = PointInTime(spans, seed: seed)
        _ = try await send(cold, .closed(until: .now() + warmup))
        let warm = PointInTime(spans, seed: seed &+ 1)
        _ = try await send(warm, .closed(until: .now() + duration))
        return (warm.latencies.map { Latency($0, unit: 0.001) }, cold.wrong + warm.wrong)
    }

    /// Times that what failed is tried again at the end.
    private static let rounds = 20

    /// - Returns: how many requests were due and could not be sent.
    private func send(
        _ workload: any Workload, _ pace: Pace = .everything, _ recorder: Recorder? = nil
    ) async throws -> Int {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                driver.send(workload, pace, recorder, continuation)
            }
        } onCancel: {
            stop.set()
        }
    }
}

/// The one thread on which a bench does all its work.
enum BenchLoop {
    static let shared = MultiThreadedEventLoopGroup(numberOfThreads: 1)
}
