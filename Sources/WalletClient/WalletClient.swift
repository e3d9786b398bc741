public import AsyncHTTPClient
import NIOCore

/// A client of the wallet service: exact money, typed errors, and writes that happen once.
///
/// ```swift
/// let client = try WalletClient(url: "https://wallet.internal", token: apiKey)
/// let wallet = try await client.openWallet(userID: "u-17", currency: "USD")
/// let deposit = try await client.deposit(
///     Money(minorUnits: 10_000, currency: "USD"), into: wallet.id)
/// ```
///
/// - **Every write has an idempotency key**, made by the client unless the caller gives one. A
///   write that got no certain answer (a lost connection, 409 in flight, 5xx) is sent again with
///   the same key, never with another one, so that it happens at most once. When the attempts are
///   used up, the error holds the key; sending the same call with it later settles the question.
/// - **Reads see the client's own writes.** The client remembers the newest `Consistency-Token`
///   that it was given and sends it along; see ``Configuration/readsOwnWrites``.
/// - **It is a value** that may be used from any number of tasks, and needs no shutting down. All
///   clients of a process share their connections, unless they are given others.
///
/// All calls throw ``WalletError`` and nothing else.
public struct WalletClient: Sendable {
    /// How a client waits and repeats. Every bound has a default that suits a service in the same
    /// region.
    public struct Configuration: Hashable, Sendable {
        /// How often a call is sent at most, 1 or more; 1 never repeats.
        public var attempts = 4
        /// How long one attempt may take until its answer is there. More than the 5 seconds after
        /// which the service itself gives up waiting for a commit.
        public var attemptTimeout: Duration = .seconds(10)
        /// The pause before the second attempt. It doubles with each one, and half of it is random.
        public var firstPause: Duration = .milliseconds(100)
        /// The longest pause. An answer's `Retry-After` may ask for a longer one up to
        /// ``longestRetryAfter``.
        public var longestPause: Duration = .seconds(5)
        /// The longest `Retry-After` that is waited for; where the service asks for more, the call
        /// fails at once.
        public var longestRetryAfter: Duration = .seconds(30)
        /// How often live events are asked for again, in a row and without hearing anything,
        /// before the stream fails.
        public var reconnects = 30
        /// Whether reads carry the newest token that this client has seen, so that no read answers
        /// with less than what it has been told before.
        public var readsOwnWrites = true

        /// The defaults.
        public init() {}
    }

    package var transport: Transport

    /// A client of one service with one credential.
    ///
    /// - Parameters:
    ///   - url: where the service is, `https://wallet.internal` or `http://127.0.0.1:8080`, with or
    ///     without a path that stands before `/v1`.
    ///   - token: an API key or a JWT; `nil` for calls that are open, such as ``isReady()``.
    ///   - configuration: how it waits and repeats.
    ///   - http: connections of your own, for a private certificate authority or a proxy. They must
    ///     not follow redirects, and are yours to shut down. Without, the process's shared ones.
    /// - Throws: ``WalletError/Code/invalidRequest`` where the URL or the token cannot be used.
    public init(
        url: String, token: String?, configuration: Configuration = Configuration(),
        http: HTTPClient? = nil
    ) throws(WalletError) {
        self.init(
            transport: try Transport(
                url: url, token: token, configuration: configuration,
                http: http ?? WalletClient.sharedConnections, timing: .system))
    }

    init(transport: Transport) {
        self.transport = transport
    }

    /// Connections to one service at most; what comes beyond that waits for one of them. The
    /// service commits what arrives together in one transaction, so that many are worth having.
    package static let connectionsPerService = 128

    /// Lives as long as the process. Nothing is sent twice behind the back of the retry rules, and
    /// a redirect cannot lead a credential to another host.
    private static let sharedConnections: HTTPClient = {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            // A silence of three of the service's heartbeats means that it is gone.
            timeout: .init(connect: .seconds(3), read: .seconds(45)))
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit =
            connectionsPerService
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()
}

extension WalletClient {
    /// Whether the service can answer reads now. One attempt, and no error: whatever is wrong, the
    /// answer is no.
    public func isReady() async -> Bool { await isWell("/health/ready") }

    /// Whether the service's process is up. One attempt, and no error.
    public func isLive() async -> Bool { await isWell("/health/live") }

    private func isWell(_ path: String) async -> Bool {
        var call = Call(.get, path: path)
        call.isRepeatable = false
        return (try? await transport.send(call)) != nil
    }
}
