import NIOCore
import NIOHTTPTypes

/// Closes connections whose request does not arrive whole in time, so that clients who send a byte
/// a minute cannot hold connections for ever; and, by a ``StallWatch``, those whose answer is not
/// taken.
///
/// Sits at both ends of the HTTP decoder: the bytes arrive at ``ByteWatch``, the end of the request
/// at this handler. A request that arrives in one piece costs no timer.
final class RequestDeadline: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    private let watch: ByteWatch
    private let stallWatch: StallWatch

    init(_ timeout: TimeAmount, write writeTimeout: TimeAmount) {
        watch = ByteWatch(timeout)
        stallWatch = StallWatch(writeTimeout)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // Fails only on a channel that is closed already, where there is nothing to watch.
        try? context.pipeline.syncOperations.addHandlers(watch, stallWatch, position: .first)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .end = unwrapInboundIn(data) { watch.requestEnded() }
        context.fireChannelRead(data)
    }
}

/// Sees the raw bytes, before the decoder.
final class ByteWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let timeout: TimeAmount
    private var isIncomplete = false
    private var timer: Scheduled<Void>?

    init(_ timeout: TimeAmount) {
        self.timeout = timeout
    }

    func requestEnded() {
        isIncomplete = false
        timer?.cancel()
        timer = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isIncomplete = true
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isIncomplete, timer == nil {
            timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
                context.close(promise: nil)
            }
        }
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        context.fireChannelInactive()
    }
}
