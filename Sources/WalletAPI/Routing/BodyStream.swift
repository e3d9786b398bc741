import Hummingbird
import LedgerEngine
import Logging
import NIOCore

/// What an answer carries.
enum APIBody: Sendable {
    /// A body that is there.
    case bytes([UInt8])
    /// A body that is made while it is sent.
    case stream(BodyStream)
}

/// A body that is made while it is sent, no faster than the client takes it. When the making
/// fails the connection is broken off, so that nobody takes a part for the whole.
struct BodyStream: Sendable {
    typealias Send = @Sendable (inout BodySink) async throws -> Void

    /// Whether it goes on until one side leaves. Then the client's leaving is noticed at once, at
    /// the price of the connection: it serves no further request.
    var isLive: Bool
    /// Asks again whether the caller may have this, for streams that outlive a key.
    var reauthorise: @Sendable () async throws -> Void = {}
    let send: Send

    init(isLive: Bool, _ send: @escaping Send) {
        self.isLive = isLive
        self.send = send
    }
}

/// Where a stream is written to.
struct BodySink {
    private var writer: any ResponseBodyWriter
    private let reauthorise: @Sendable () async throws -> Void

    init(
        _ writer: any ResponseBodyWriter,
        reauthorise: @escaping @Sendable () async throws -> Void = {}
    ) {
        self.writer = writer
        self.reauthorise = reauthorise
    }

    /// Sends bytes; returns when the client has room for more.
    mutating func write(_ bytes: [UInt8]) async throws {
        guard !bytes.isEmpty else { return }
        try await writer.write(ByteBuffer(bytes: bytes))
    }

    /// Throws when the caller may not have this any more.
    func checkCaller() async throws { try await reauthorise() }

    fileprivate func finish() async throws { try await writer.finish(nil) }
}

extension ResponseBody {
    /// A stream as Hummingbird's body.
    init(_ stream: BodyStream, of request: Request, _ requestID: String, _ logger: Logger) {
        self.init { writer in
            var sink = BodySink(writer, reauthorise: stream.reauthorise)
            do {
                if stream.isLive {
                    try await request.body.consumeWithCancellationOnInboundClose { _ in
                        try await stream.send(&sink)
                        try await sink.finish()
                    }
                } else {
                    try await stream.send(&sink)
                    try await sink.finish()
                }
            } catch {
                if error.isOurFault {
                    logger.error(
                        "a stream was broken off",
                        metadata: ["error": "\(error)", "request.id": "\(requestID)"])
                }
                throw error
            }
        }
    }
}

extension Error {
    /// Whether it is more than the end of a connection or of a caller's rights.
    fileprivate var isOurFault: Bool { self is StoreError || self is LogFault }
}
