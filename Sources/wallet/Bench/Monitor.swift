import Foundation
import NIOCore

/// Watches the service's and our own process during a run, and says how it goes.
final class Monitor {
    /// One look at the service's memory.
    struct Sample: Codable {
        var second: Int
        var residentKilobytes: Int
    }

    private let loop: any EventLoop
    private let recorder: Recorder
    private let server: Int32?
    private let seconds: Int
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var isActive = true
    private var shown = 0
    private(set) var serverAtStart: ProcessUsage?
    private(set) var serverAtEnd: ProcessUsage?
    private(set) var clientAtStart: ProcessUsage?
    private(set) var clientAtEnd: ProcessUsage?
    private(set) var memory: [Sample] = []

    /// - Parameter server: the service's process, where it is known.
    init(on loop: any EventLoop, _ recorder: Recorder, server: Int32?) {
        self.loop = loop
        self.recorder = recorder
        self.server = server
        seconds = Int((recorder.end - recorder.start).nanoseconds / 1_000_000_000)
    }

    func start() {
        let loop = loop.assumeIsolated()
        loop.scheduleTask(deadline: recorder.start) { [self] in
            serverAtStart = usage(server)
            clientAtStart = usage(getpid())
            sample(second: 0)
            tick(1)
        }
        loop.scheduleTask(deadline: recorder.end) { [self] in
            serverAtEnd = usage(server)
            clientAtEnd = usage(getpid())
        }
    }

    func stop() {
        isActive = false
    }

    private func usage(_ process: Int32?) -> ProcessUsage? {
        process.flatMap { ProcessUsage(process: $0) }
    }

    private func tick(_ second: Int) {
        guard isActive, second <= seconds else { return }
        let time = recorder.start + .seconds(Int64(second))
        loop.assumeIsolated().scheduleTask(deadline: time) { [self] in
            sample(second: second)
            show(second)
            tick(second + 1)
        }
    }

    /// Memory is kept every 10 s of a long run, every second of a short one.
    private func sample(second: Int) {
        guard isActive, second % (seconds >= 60 ? 10 : 1) == 0, let usage = usage(server) else {
            return
        }
        memory.append(Sample(second: second, residentKilobytes: usage.residentKilobytes))
    }

    private func show(_ second: Int) {
        guard isActive, isTerminal else { return }
        let count = recorder.succeeded - shown
        shown = recorder.succeeded
        StandardError.write("  \(second) s  \(Figure.grouped(count)) /s\n")
    }
}

/// Standard error without a buffer.
enum StandardError {
    static func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}
