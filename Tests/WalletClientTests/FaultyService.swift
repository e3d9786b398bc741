import Foundation
import NIOCore
import NIOPosix
import Synchronization
import WalletClient

/// A service that does nothing right: it answers each request with the next line of a script.
///
/// Only for faults that a real service cannot be made to have at will.
final class FaultyService: Sendable {
    /// What is done with a request.
    enum Act: Sendable {
        /// An answer as it goes over the wire.
        case answer(String)
        /// The same, and then the connection is closed.
        case answerAndClose(String)
        /// The connection is closed without a word.
        case close
        /// Nothing, ever; whoever waits for the request is told that it came.
        case silence(@Sendable () -> Void)
    }

    /// A request as it came over the wire.
    struct Seen: Sendable {
        var line: String
        var headers: [String: String]
        var body: String
    }

    private struct State {
        var script: ArraySlice<Act>
        var seen: [Seen] = []
    }

    private let state: Mutex<State>

    private init(_ script: [Act]) {
        state = Mutex(State(script: script[...]))
    }

    /// Runs for as long as the body does, and returns the requests that were seen.
    static func run(
        _ script: [Act], _ body: (_ url: String) async throws -> Void
    ) async throws -> [Seen] {
        let service = FaultyService(script)
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(service: service))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        do {
            try await body("http://127.0.0.1:\(port)")
        } catch {
            try await channel.close()
            throw error
        }
        try await channel.close()
        return service.state.withLock { $0.seen }
    }

    private func act(on request: Seen) -> Act {
        state.withLock { state in
            state.seen.append(request)
            return state.script.popFirst() ?? .close
        }
    }

    /// Collects whole requests.
    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let service: FaultyService
        private var text = ""

        init(service: FaultyService) {
            self.service = service
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += String(buffer: unwrapInboundIn(data))
            guard let end = text.range(of: "\r\n\r\n") else { return }
            var lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
            let line = lines.removeFirst()
            var headers: [String: String] = [:]
            for header in lines {
                let parts = header.split(separator: ":", maxSplits: 1)
                headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
            }
            let body = text[end.upperBound...]
            guard body.utf8.count >= Int(headers["content-length"] ?? "0") ?? 0 else { return }
            text = ""
            let seen = Seen(line: line, headers: headers, body: String(body))
            switch service.act(on: seen) {
            case .answer(let answer):
                context.writeAndFlush(NIOAny(ByteBuffer(string: answer)), promise: nil)
            case .answerAndClose(let answer):
                context.writeAndFlush(NIOAny(ByteBuffer(string: answer)), promise: nil)
                context.close(promise: nil)
            case .close: context.close(promise: nil)
            case .silence(let arrived): arrived()
            }
        }
    }
}

extension FaultyService.Act {
    /// A whole answer.
    static func status(
        _ status: Int, _ body: String, headers: [String] = [], type: String = "application/json"
    ) -> FaultyService.Act {
        .answer(head(status, length: body.utf8.count, headers, type) + body)
    }

    /// A problem document.
    static func problem(
        _ status: Int, _ code: String, retryable: Bool, headers: [String] = []
    ) -> FaultyService.Act {
        .status(
            status,
            #"{"code":"\#(code)","detail":"Why.","retryable":\#(retryable),"requestId":"r-1","#
                + #""status":\#(status),"available":7,"novelty":["x"]}"#,
            headers: headers, type: "application/problem+json")
    }

    /// The first bytes of an answer that was to be longer, and then the end of the connection.
    static func cutShort(_ status: Int, _ body: String) -> FaultyService.Act {
        .answerAndClose(head(status, length: body.utf8.count + 10, [], "application/json") + body)
    }

    private static func head(
        _ status: Int, length: Int, _ headers: [String], _ type: String
    ) -> String {
        ([
            "HTTP/1.1 \(status) Whatever", "Content-Type: \(type)", "Content-Length: \(length)",
        ] + headers).joined(separator: "\r\n") + "\r\n\r\n"
    }

    /// A transaction of 10.50 USD.
    static let deposited = FaultyService.Act.status(201, transaction)

    static let transaction = """
        {"id":"t-1","type":"deposit","amount":1050,"currency":"USD","from":null,"to":"w-1",
        "reference":null,"description":null,"createdAt":"2026-01-15T10:30:00.000001Z",
        "position":3,"balances":[{"walletId":"w-1","total":1050,"held":0,"available":1050,
        "version":2,"novelty":{"a":1}}],"reverses":null,"reversedAmount":0,"holdId":null,
        "actor":"shop","metadata":{},"novelty":1.5}
        """
}

/// Pauses that are noted instead of waited for.
final class Pauses: Sendable {
    private let noted = Mutex<[Duration]>([])

    var all: [Duration] { noted.withLock { $0 } }

    /// Without chance: always the middle.
    var timing: Timing {
        Timing(sleep: { pause in self.noted.withLock { $0.append(pause) } }, random: { 0.5 })
    }
}

extension WalletClient {
    /// A client that does not wait between attempts.
    init(
        testing url: String, token: String? = "wk_test", _ pauses: Pauses = Pauses(),
        _ change: (inout Configuration) -> Void = { _ in }
    ) throws {
        var configuration = Configuration()
        change(&configuration)
        var client = try WalletClient(url: url, token: token, configuration: configuration)
        client.transport.timing = pauses.timing
        self = client
    }
}
