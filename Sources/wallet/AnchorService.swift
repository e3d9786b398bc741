import Foundation
import LedgerEngine
import Logging
import ServiceLifecycle

/// Publishes anchors while the service runs: to the log, and to a file if one is named.
struct AnchorService: Service {
    let queries: Queries
    let settings: AnchorSettings
    let logger: Logger

    /// Publishes whenever the head has moved, and once more when everything else has stopped.
    func run() async throws {
        guard settings.interval > .zero else {
            try? await gracefulShutdown()
            return
        }
        var last: ConsistencyToken?
        while !Task.isCancelled {
            last = await publish(unless: last)
            if Task.isShuttingDownGracefully { return }
            await cancelWhenGracefulShutdown { try? await Task.sleep(for: settings.interval) }
        }
    }

    private func publish(unless last: ConsistencyToken?) async -> ConsistencyToken? {
        do {
            let head = try await queries.head()
            guard head.position > 0, last != ConsistencyToken(head) else { return last }
            var anchor = Anchor(head, at: SystemClock.now())
            if let key = settings.key { anchor = try anchor.signed(by: key) }
            let line = String(decoding: anchor.line, as: UTF8.self)
            logger.notice("anchor", metadata: ["anchor": "\(line)"])
            if let path = settings.file { try append(line + "\n", to: path) }
            return ConsistencyToken(head)
        } catch {
            logger.error("no anchor was published", metadata: ["error": "\(error)"])
            return last
        }
    }

    private func append(_ line: String, to path: String) throws {
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        defer { try? file.close() }
        // A line that was torn by a crash must not spoil this one.
        var text = line
        let end = try file.seekToEnd()
        if end > 0 {
            try file.seek(toOffset: end - 1)
            if try file.read(upToCount: 1) != Data("\n".utf8) { text = "\n" + line }
        }
        try file.write(contentsOf: Data(text.utf8))
        try file.synchronize()
    }
}

/// How often, where to and with which signature anchors are published.
struct AnchorSettings {
    /// Zero: never.
    var interval: Duration
    var file: String?
    var key: AnchorKey?

    init(_ settings: Settings) throws {
        let seconds: Int64 = try settings.integer(
            "anchorIntervalSeconds", default: 60, in: 0...86_400)
        interval = .seconds(seconds)
        file = settings.text("anchorFile")
        key = try AnchorKeySetting.read(settings)
    }
}
