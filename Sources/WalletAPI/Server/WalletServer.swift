package import Hummingbird
package import LedgerEngine
package import Logging
import NIOCore
import WalletCore

/// The HTTP side of the service, ready to be run.
package enum WalletServer {
    /// The limits of the listener; each has a default that is documented for operators.
    package struct Configuration: Hashable, Sendable {
        package var host = "127.0.0.1"
        /// 0 for any free port.
        package var port = 8_080
        package var maximumConnections = 10_000
        /// Bytes of a request's body.
        package var maximumBody = 1 << 20
        /// How long a connection may stay open without a request, in seconds.
        package var idleTimeout: Int64 = 60
        /// How long a request may take to arrive whole, in seconds.
        package var readTimeout: Int64 = 10
        /// How long a client may take nothing of an answer that waits for it, in seconds.
        package var writeTimeout: Int64 = 30
        package var eventStreams = EventStreamLimits()

        package init() {}
    }

    /// What answers requests, without a listener.
    ///
    /// - Parameters:
    ///   - users: checks users' tokens; without it there are only API keys.
    ///   - feed: tells the streams of events that there are new ones.
    ///   - entropy: random bits for salts and secrets.
    package static func responder(
        store: any LedgerStore, sequencer: Sequencer, queries: Queries, readiness: Readiness,
        feed: LogFeed = LogFeed(), eventStreams: EventStreamLimits = EventStreamLimits(),
        users: UserTokens? = nil, maximumBody: Int = Configuration().maximumBody,
        entropy: @escaping @Sendable () -> UInt64, logger: Logger
    ) -> WalletResponder {
        let salt: @Sendable () -> [UInt8] = {
            var bytes: [UInt8] = []
            bytes.appendBigEndian(entropy())
            bytes.appendBigEndian(entropy())
            return bytes
        }
        let ownership = Ownership(queries: queries)
        let renderer = OutcomeRenderer(queries: queries, ownership: ownership)
        return WalletResponder(
            routes: WriteRoutes(sequencer: sequencer, renderer: renderer, salt: salt).routes
                + ReadRoutes(queries: queries, ownership: ownership).routes
                + BatchRoutes(sequencer: sequencer, renderer: renderer, salt: salt).routes
                + HoldRoutes(queries: queries).routes
                + KeyRoutes(queries: queries, renderer: renderer).routes
                + APIKeyRoutes(store: store, entropy: entropy).routes
                + LedgerRoutes(queries: queries).routes
                + StatementRoutes(queries: queries, ownership: ownership).routes
                + EventStreamRoutes(queries: queries, feed: feed, limits: eventStreams).routes
                + DocumentRoutes().routes
                + HealthRoutes(queries: queries, readiness: readiness).routes,
            authenticator: Authenticator(store: store, users: users), ownership: ownership,
            maximumBody: maximumBody, logger: logger)
    }

    /// Why the listener could not be set up, in words that name the setting; `nil` for errors of
    /// other kinds.
    package static func reason(
        for error: any Error, _ configuration: Configuration
    ) -> String? {
        let host = "The host \(configuration.host.debugDescription)"
        let port = "Port \(configuration.port)"
        let otherHost = ": choose another with --host or WALLET_HOST."
        let otherPort = ": choose another with --port or WALLET_PORT."
        if error is SocketAddressError.UnknownHost { return host + " is not known" + otherHost }
        guard let error = error as? IOError else { return nil }
        switch ListenerFault(rawValue: error.errnoCode) {
        case .addressInUse: return port + " is in use" + otherPort
        case .accessDenied: return port + " may not be used by this user" + otherPort
        case .addressNotAvailable: return host + " is not this machine's" + otherHost
        case nil: return nil
        }
    }

    /// Why the operating system refuses to listen, by the numbers that Linux gives it.
    private enum ListenerFault: CInt {
        case accessDenied = 13
        case addressInUse = 98
        case addressNotAvailable = 99
    }

    /// The listener around a responder.
    ///
    /// - Parameter onReady: is told the port when requests are taken.
    package static func application(
        _ responder: WalletResponder, _ configuration: Configuration, logger: Logger,
        onReady: @escaping @Sendable (Int) async -> Void
    ) -> Application<WalletResponder> {
        let readTimeout = TimeAmount.seconds(configuration.readTimeout)
        let writeTimeout = TimeAmount.seconds(configuration.writeTimeout)
        return Application(
            responder: responder,
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [
                        ConnectionHandlers(read: readTimeout, write: writeTimeout)
                    ],
                    idleTimeout: .seconds(configuration.idleTimeout),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: 16_384, maxHeaderListSize: 32_768,
                        maxHeaderFieldCount: 100))),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                backlog: 4_096,
                availableConnectionsDelegate: .maximum(
                    configuration.maximumConnections, logger: logger)),
            onServerRunning: { channel in
                await onReady(channel.localAddress?.port ?? configuration.port)
            },
            logger: logger)
    }
}
