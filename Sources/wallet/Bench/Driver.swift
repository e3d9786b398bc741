import NIOCore
import NIOPosix
import Synchronization

/// A source of requests that hears what became of them.
protocol Workload: AnyObject {
    /// The next request; nothing when there are no more.
    func next() -> BenchRequest?
    func answered(_ request: BenchRequest, by response: Response)
    /// The connection broke or the time was up: whether it happened is not known.
    func lost(_ request: BenchRequest)
}

/// Says from outside of the event loop that a bench shall end early.
final class StopFlag: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }

    func set() {
        flag.store(true, ordering: .relaxed)
    }
}

/// Sends workloads over a set of connections. Lives on one event loop: no locks, one core at most.
final class Driver {
    /// Time between looks at time-outs and at the stop flag.
    private static let tick = TimeAmount.milliseconds(100)
    /// Attempts to replace a broken connection, a tick apart.
    private static let reconnects = 50
    /// What an open loop's timer waits at least, so that it does not eat the core it measures.
    private static let shortestWait = TimeAmount.microseconds(100)

    private let loop: any EventLoop
    private let address: SocketAddress
    private let timeout: TimeAmount
    private let stop: StopFlag
    private var connections: [Connection] = []
    private var idle: [Connection] = []
    private var inFlight = 0
    private var run: Run?

    var ids: WalletIDs
    private var writer: RequestWriter

    /// A workload under way.
    private struct Run {
        var workload: any Workload
        var pace: Pace
        var recorder: Recorder?
        var isDry = false
        var continuation: CheckedContinuation<Int, any Error>
    }

    init(
        on loop: any EventLoop, _ address: SocketAddress, _ writer: RequestWriter, ids: WalletIDs,
        timeout: TimeAmount, stop: StopFlag
    ) {
        self.loop = loop
        self.address = address
        self.writer = writer
        self.ids = ids
        self.timeout = timeout
        self.stop = stop
    }

    // MARK: Connections

    func connect() -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(5))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(to: address)
    }

    func add(_ channel: any Channel) throws {
        let connection = Connection(self)
        try channel.pipeline.syncOperations.addHandler(connection)
        guard channel.isActive else { throw ChannelError.ioOnClosedChannel }
        connections.append(connection)
        advance(connection)
    }

    func close() {
        for connection in connections { connection.close() }
    }

    private func reconnect(attempt: Int = 1) {
        connect().assumeIsolated().whenComplete { [self] result in
            do {
                try add(result.get())
            } catch {
                guard attempt < Self.reconnects else {
                    return finish(.failure(CommandFailure("The service went away: \(error).")))
                }
                loop.assumeIsolated().scheduleTask(in: Self.tick) { [self] in
                    if run != nil { reconnect(attempt: attempt + 1) }
                }
            }
        }
    }

    func closed(_ connection: Connection, _ lost: Sent?) {
        connections.removeAll { $0 === connection }
        idle.removeAll { $0 === connection }
        if let lost {
            inFlight -= 1
            run?.recorder?.lost(due: lost.due)
            run?.workload.lost(lost.request)
        }
        if run != nil { reconnect() }
        finishIfDone()
    }

    // MARK: Runs

    /// Sends a workload; returns how many requests were due but could never be sent.
    func send(
        _ workload: any Workload, _ pace: Pace, _ recorder: Recorder?,
        _ continuation: CheckedContinuation<Int, any Error>
    ) {
        run = Run(
            workload: workload, pace: pace, recorder: recorder, continuation: continuation)
        if connections.isEmpty { reconnect() }
        look()
        pump()
        finishIfDone()
    }

    func answered(_ connection: Connection, _ sent: Sent, _ response: Response) {
        inFlight -= 1
        run?.recorder?.answered(
            sent.request, response.status, due: sent.due, at: .now())
        run?.workload.answered(sent.request, by: response)
        advance(connection)
    }

    /// Gives a free connection its next request, or lets it rest.
    private func advance(_ connection: Connection) {
        let now = NIODeadline.now()
        guard let (request, due) = next(at: now) else {
            idle.append(connection)
            return finishIfDone()
        }
        inFlight += 1
        connection.send(Sent(request: request, due: due, at: now)) { buffer in
            writer.write(request, ids, into: &buffer)
        }
    }

    private func next(at now: NIODeadline) -> (BenchRequest, due: NIODeadline)? {
        guard let current = run, !current.isDry else { return nil }
        var due = now
        switch current.pace {
        case .everything: break
        case .closed(let end):
            guard now < end else { return nil }
        case .open(var schedule):
            let taken = schedule.take(at: now)
            run?.pace = .open(schedule)
            guard let taken else { return nil }
            due = taken
        }
        guard let request = current.workload.next() else {
            run?.isDry = true
            return nil
        }
        return (request, due)
    }

    /// Puts idle connections to work, and in an open loop again when the next request is due.
    private func pump() {
        // One that finds nothing to do goes back among the idle: each is asked once at most.
        for _ in 0..<idle.count {
            guard let connection = idle.popLast() else { break }
            let before = inFlight
            advance(connection)
            guard inFlight > before else { break }
        }
        guard case .open(let schedule)? = run?.pace, let due = schedule.nextDue else { return }
        let wait = max(due, .now() + Self.shortestWait)
        loop.assumeIsolated().scheduleTask(deadline: wait) { [self] in pump() }
    }

    /// Looks regularly at what no answer would show: time-outs, the end, a wish to stop.
    private func look() {
        guard run != nil else { return }
        if stop.isSet { return finish(.failure(CancellationError())) }
        let now = NIODeadline.now()
        for connection in connections {
            if let sent = connection.sent, sent.at + timeout < now { connection.close() }
        }
        finishIfDone()
        loop.assumeIsolated().scheduleTask(in: Self.tick) { [self] in look() }
    }

    private func finishIfDone() {
        guard let run, inFlight == 0 else { return }
        switch run.pace {
        case .everything:
            if run.isDry { finish(.success(0)) }
        case .closed(let end):
            if run.isDry || .now() >= end { finish(.success(0)) }
        case .open(let schedule):
            if schedule.isExhausted { finish(.success(schedule.skipped)) }
        }
    }

    private func finish(_ result: Result<Int, any Error>) {
        guard let run else { return }
        self.run = nil
        run.continuation.resume(with: result)
    }
}
