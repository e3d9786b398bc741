import NIOCore

/// Closes connections whose client takes none of the bytes that wait for it, so that a client who
/// does not read holds neither memory nor a stream for ever.
///
/// Counts bytes and not answers: a slow client is served for as long as it takes some.
final class StallWatch: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// How long a client may take nothing once the service is stopping.
    static let stoppingTimeout: TimeAmount = .seconds(2)

    /// What the operating system may hold of an answer beyond what is on the network. Without it,
    /// megabytes wait there for a client that does not read, and a slow one seems to stand still.
    private static let unsentLimit = 131_072

    /// TCP_NOTSENT_LOWAT, which has no name in SwiftNIO.
    private static var unsentOption: ChannelOptions.Types.SocketOption {
        #if os(Linux)
        .init(level: .tcp, name: .init(rawValue: 25))
        #else
        .init(level: .tcp, name: .init(rawValue: 0x201))
        #endif
    }

    private var timeout: TimeAmount
    private var written = 0
    private var takenBefore = 0
    private var timer: Scheduled<Void>?

    init(_ timeout: TimeAmount) {
        self.timeout = timeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // Only a help: a system that knows no such option buffers more.
        try? context.channel.syncOptions?.setOption(
            StallWatch.unsentOption, value: StallWatch.unsentLimit)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        written += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        context.flush()
        if timer == nil { watch(context) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            timeout = min(timeout, StallWatch.stoppingTimeout)
            timer?.cancel()
            watch(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        context.fireChannelInactive()
    }

    /// Starts to wait if anything is left in the buffer.
    private func watch(_ context: ChannelHandlerContext) {
        timer = nil
        guard let waiting = waiting(context), waiting > 0 else { return }
        takenBefore = written - waiting
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            self.check(context)
        }
    }

    private func check(_ context: ChannelHandlerContext) {
        if let waiting = waiting(context), waiting > 0, written - waiting == takenBefore {
            context.close(promise: nil)
        } else {
            watch(context)
        }
    }

    /// Bytes that the operating system has not taken yet; `nil` once the connection is closed.
    private func waiting(_ context: ChannelHandlerContext) -> Int? {
        try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
    }
}
