import NIOCore

/// Closes connections whose request does not arrive whole in time, so that clients who send a byte
/// a minute cannot hold connections for ever.
///
/// Sees the raw bytes, before the decoder; ``ConnectionRules`` behind it says when a request or an
/// answer has ended. A request that arrives in one piece costs no timer, and while one is answered
/// there is no hurry about what comes behind it.
final class ByteWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let timeout: TimeAmount
    private var context: ChannelHandlerContext?
    private var isIncomplete = false
    /// Requests that are whole and not answered; less than 0 for one that was answered early.
    private var answersDue = 0
    private var timer: Scheduled<Void>?

    init(_ timeout: TimeAmount) {
        self.timeout = timeout
    }

    func requestEnded() {
        isIncomplete = false
        answersDue += 1
        timer?.cancel()
        timer = nil
    }

    func answerEnded() {
        answersDue -= 1
        startTimer()
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isIncomplete = true
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        startTimer()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        context.fireChannelInactive()
    }

    private func startTimer() {
        guard isIncomplete, answersDue <= 0, timer == nil, let context else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            context.close(promise: nil)
        }
    }
}
