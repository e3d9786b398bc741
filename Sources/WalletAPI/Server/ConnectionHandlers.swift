import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Puts the handlers of a connection into their places at both ends of the HTTP decoder.
///
/// Itself it sees requests and does nothing with them.
final class ConnectionHandlers: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    private let watch: ByteWatch
    private let stallWatch: StallWatch
    private let rules: ConnectionRules

    /// - Parameters:
    ///   - read: how long a request may take to arrive whole.
    ///   - write: how long a client may take nothing of an answer.
    init(read: TimeAmount, write: TimeAmount) {
        watch = ByteWatch(read)
        stallWatch = StallWatch(write)
        rules = ConnectionRules(watch)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // Fails only on a channel that is closed already, where there is nothing to watch.
        let pipeline = context.pipeline.syncOperations
        try? pipeline.addHandlers(watch, stallWatch, position: .first)
        guard
            let decoder = try? pipeline.handler(
                type: ByteToMessageHandler<HTTPRequestDecoder>.self)
        else { return }
        try? pipeline.addHandler(rules, position: .after(decoder))
    }
}
