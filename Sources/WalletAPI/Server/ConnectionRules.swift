import NIOCore
import NIOHTTP1

/// What HTTP/1 asks of a connection and nobody else here looks after (RFC 9112): it ends after an
/// answer where it must, in a way that lets the answer arrive; HEAD has no body; and bytes that are
/// no HTTP are answered by a problem too.
///
/// Stands between the HTTP decoder and everything that knows requests. An answer always belongs to
/// the first request that has none yet.
final class ConnectionRules: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// Up to how many bytes of a body that nobody wants are read for the sake of the connection.
    static let spareBody = 65_536
    /// How long, and for how many bytes, a client may go on sending after the last answer. Without
    /// it the operating system would take back an answer that the client has not read yet.
    static let lingerTime: TimeAmount = .seconds(2)
    static let lingerBytes = 16 << 20

    /// A request whose answer has not ended.
    fileprivate struct Pending {
        var isHead: Bool
        var version: HTTPVersion
        var isKeptAlive: Bool
        /// Whether the client waits for a word before it sends the body.
        var expectsWord: Bool
        /// Of the body that has not arrived, as far as its length is known.
        var bytesLeft: Int?
    }

    private enum Phase {
        case open
        /// The answer under way is the last.
        case ending
        /// It has been written; what still comes is dropped.
        case lingering
    }

    private let watch: ByteWatch
    private var pending = CircularBuffer<Pending>()
    private var phase = Phase.open
    /// Whether the end of the last request has not come yet.
    private var isArriving = false
    private var lingered = 0
    private var timer: Scheduled<Void>?
    /// Why what came is no HTTP.
    private var fault: Problem?

    init(_ watch: ByteWatch) {
        self.watch = watch
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if case .lingering = phase {
            if case .body(let bytes) = part { linger(context, bytes.readableBytes) }
            return
        }
        switch part {
        case .head(let head):
            isArriving = true
            pending.append(Pending(head))
        case .body(let bytes):
            guard let last = pending.indices.last, let left = pending[last].bytesLeft else { break }
            pending[last].bytesLeft = left - bytes.readableBytes
        case .end:
            isArriving = false
            watch.requestEnded()
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if fault == nil, let error = error as? HTTPParserError {
            fault =
                error == .headerOverflow
                ? Problem(.headersTooLarge, "The header has too many fields, or too large ones.")
                : .malformed("This is not a valid HTTP/1.1 request.")
        }
        context.fireErrorCaught(error)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .lingering = phase, event as? ChannelEvent == .inputClosed {
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        context.fireChannelInactive()
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .lingering = phase {
            promise?.succeed()
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let head) where head.status.code < 200:
            // Nobody waits for it once the request is there, and HTTP/1.0 does not know it.
            guard isFirstArriving, pending.first?.version == .http1_1 else {
                promise?.succeed()
                return
            }
            pending[pending.startIndex].expectsWord = false
            context.write(data, promise: promise)
        case .head(let head):
            if let fault, head.status == .badRequest, !head.headers.contains(name: "X-Request-Id") {
                refuse(context, fault, promise)
            } else {
                context.write(wrapOutboundOut(.head(framed(head))), promise: promise)
            }
        case .body:
            guard pending.first?.isHead != true else {
                promise?.succeed()
                return
            }
            context.write(data, promise: promise)
        case .end:
            end(context, data, promise)
        }
    }

    /// Whether the request that is answered has not arrived whole.
    private var isFirstArriving: Bool { isArriving && pending.count == 1 }

    /// The head of an answer, saying what becomes of the connection.
    private func framed(_ head: HTTPResponseHead) -> HTTPResponseHead {
        guard let request = pending.first else { return head }
        var head = head
        let hasLength = head.headers.contains(name: "Content-Length")
        let isOld = request.version != .http1_1
        // HTTP/1.0 knows no chunks, so a body of unknown length lasts as long as the connection.
        if isOld { head.version = .http1_0 }
        let isWanted = request.isKeptAlive && (hasLength || !isOld) && !isTooMuchLeft(of: request)
        if !isWanted {
            phase = .ending
            head.headers.replaceOrAdd(name: "Connection", value: "close")
        } else if isOld {
            head.headers.replaceOrAdd(name: "Connection", value: "keep-alive")
        }
        return head
    }

    /// Whether the rest of an early answer's request is more than the connection is worth.
    private func isTooMuchLeft(of request: Pending) -> Bool {
        guard isFirstArriving else { return false }
        guard let left = request.bytesLeft, !request.expectsWord else { return true }
        return left > ConnectionRules.spareBody
    }

    private func end(
        _ context: ChannelHandlerContext, _ data: NIOAny, _ promise: EventLoopPromise<Void>?
    ) {
        let request = pending.popFirst()
        if request?.isHead == true {
            // The encoder would end a body that is not there.
            promise?.succeed()
        } else {
            context.write(data, promise: promise)
        }
        watch.answerEnded()
        if case .ending = phase { startLingering(context) }
    }

    /// Answers what is no HTTP, in the place of the empty answer that was to be written.
    private func refuse(
        _ context: ChannelHandlerContext, _ fault: Problem, _ promise: EventLoopPromise<Void>?
    ) {
        let requestID = WalletResponder.makeRequestID()
        let body = fault.body(requestID: requestID)
        let isHead = pending.first?.isHead == true
        let head = HTTPResponseHead(
            version: .http1_1, status: .init(statusCode: fault.code.status),
            headers: [
                "Content-Type": "application/problem+json", "Content-Length": "\(body.count)",
                "X-Request-Id": requestID, "Cache-Control": "no-store", "Connection": "close",
            ])
        context.write(wrapOutboundOut(.head(head)), promise: promise)
        if !isHead {
            let bytes = ByteBuffer(bytes: body)
            context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
            context.write(wrapOutboundOut(.end(nil)), promise: nil)
        }
        startLingering(context)
    }

    // MARK: Ending

    /// Says that no more is sent, and closes when the client has heard it.
    private func startLingering(_ context: ChannelHandlerContext) {
        phase = .lingering
        context.flush()
        context.close(mode: .output, promise: nil)
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: ConnectionRules.lingerTime) {
            context.close(promise: nil)
        }
    }

    private func linger(_ context: ChannelHandlerContext, _ count: Int) {
        lingered += count
        if lingered > ConnectionRules.lingerBytes { context.close(promise: nil) }
    }
}

extension ConnectionRules.Pending {
    init(_ head: HTTPRequestHead) {
        isHead = head.method == .HEAD
        version = head.version
        isKeptAlive = head.isKeepAlive
        expectsWord = head.headers[canonicalForm: "Expect"].contains {
            $0.lowercased() == "100-continue"
        }
        if head.headers.contains(name: "Transfer-Encoding") {
            bytesLeft = nil
        } else {
            bytesLeft = head.headers.first(name: "Content-Length").flatMap { Int($0) } ?? 0
        }
    }
}
