import NIOCore

/// A request under way, and since when it counts.
struct Sent {
    var request: BenchRequest
    /// When it should have gone out. What it waits for beyond that is the service's doing.
    var due: NIODeadline
    var at: NIODeadline
}

/// One keep-alive connection with at most one request under way; lives on its event loop.
final class Connection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    // Held for as long as the channel is open: its last event may come after the bench gave up.
    private let driver: Driver
    private(set) var sent: Sent?
    private var context: ChannelHandlerContext?
    private var parser = ResponseParser()
    private var buffer = ByteBuffer()

    init(_ driver: Driver) {
        self.driver = driver
    }

    /// - Parameter write: writes the request into an empty buffer.
    func send(_ sent: Sent, _ write: (inout ByteBuffer) -> Void) {
        self.sent = sent
        buffer.clear()
        write(&buffer)
        context?.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func close() {
        context?.close(promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        parser.append(unwrapInboundIn(data))
        do {
            while let response = try parser.next() {
                guard let sent else { return context.close(promise: nil) }
                self.sent = nil
                driver.answered(self, sent, response)
            }
        } catch {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let lost = sent
        sent = nil
        driver.closed(self, lost)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
