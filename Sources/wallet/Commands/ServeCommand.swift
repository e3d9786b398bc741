import ArgumentParser
import Foundation
import LedgerEngine
import LedgerStores
import Logging
import ServiceLifecycle
import WalletAPI
import WalletCore

/// Runs the service until it is told to stop.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the service.",
        discussion: """
            Every option but --dev and --create is also an environment variable: --max-batch is \
            WALLET_MAX_BATCH. The command line has the first word.
            """)

    @OptionGroup var options: ServeOptions

    func run() async throws {
        let settings = try ServeSettings(options)
        var logger = Logger(label: "wallet") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = settings.logLevel
        OpenFiles.raiseLimit(for: settings.server.maximumConnections, logger: logger)
        let service = try WalletService(settings, logger: logger)
        do {
            try await service.run()
        } catch {
            guard let reason = WalletServer.reason(for: error, settings.server) else { throw error }
            throw CommandFailure(reason)
        }
    }
}

/// The options of `serve`, as they were typed.
struct ServeOptions: ParsableArguments {
    @Option(help: "The address to listen on (127.0.0.1).")
    var host: String?
    @Option(help: "The port to listen on; 0 for any free one (8080).")
    var port: String?
    @Option(help: "Where the ledger lies: sqlite:PATH (sqlite:data/ledger.sqlite).")
    var database: String?
    @Flag(help: "Make a new ledger if there is no file; --dev does so too.")
    var create = false
    @Flag(help: "For a laptop: loopback only, prints a fresh admin key and curl lines.")
    var dev = false
    @Option(help: "trace, debug, info, notice, warning, error or critical (info).")
    var logLevel: String?
    @Option(help: "Commands in one transaction at most (2048).")
    var maxBatch: String?
    @Option(help: "Bytes that one transaction adds to the log at most (4194304).")
    var maxBatchBytes: String?
    @Option(help: "Commands that wait at most; more are answered 503 (8192).")
    var queueLimit: String?
    @Option(help: "Milliseconds that a write waits for its answer at most (5000).")
    var commandTimeoutMs: String?
    @Option(help: "Connections at most; more wait to be accepted (10000).")
    var maxConnections: String?
    @Option(help: "Bytes of a request's body at most (1048576).")
    var maxBodyBytes: String?
    @Option(help: "Seconds that a connection may stay open without a request (60).")
    var idleTimeoutSeconds: String?
    @Option(help: "Seconds that a request may take to arrive whole (10).")
    var readTimeoutSeconds: String?
    @Option(help: "Seconds that a client may take nothing of an answer (30).")
    var writeTimeoutSeconds: String?
    @Option(help: "Streams of events at most; more are answered 503 (64).")
    var maxEventStreams: String?
    @Option(help: "Seconds between signs of life on a stream without events (15).")
    var eventHeartbeatSeconds: String?
    @Option(help: "Database connections for reading (2).")
    var readConnections: String?
    @Option(help: "Milliseconds added to each commit, to imitate a slower disk (0).")
    var commitDelayMs: String?
    @Option(help: "Seconds between sweeps that record expired holds; 0 for none (5).")
    var sweepIntervalSeconds: String?
    @Option(help: "Seconds between anchors; 0 for none (60).")
    var anchorIntervalSeconds: String?
    @Option(help: "A file that anchors are appended to, on another disk if possible (none).")
    var anchorFile: String?
    @Option(help: "A file with the key that signs anchors (none).")
    var anchorKeyFile: String?
    @Option(help: "Seconds that a stop may take before work is abandoned (25).")
    var shutdownTimeoutSeconds: String?
    @Option(help: "The issuer of users' tokens; with --jwt-audience and --jwt-jwks-url.")
    var jwtIssuer: String?
    @Option(help: "The audience that users' tokens must be for.")
    var jwtAudience: String?
    @Option(help: "The issuer's keys: https://…, http://… to this machine, or file:PATH.")
    var jwtJwksUrl: String?
    @Option(help: "Seconds between two fetches of the issuer's keys (300).")
    var jwtRefreshSeconds: String?
}

/// The settings of `serve`, checked.
struct ServeSettings {
    var server = WalletServer.Configuration()
    var limits = Sequencer.Limits()
    var database: Database
    var readConnections: Int
    var commitDelay: Duration
    var sweepInterval: Duration
    var anchors: AnchorSettings
    var shutdownTimeout: Duration
    var isDevelopment: Bool
    var mayCreate: Bool
    var bootstrapKey: String?
    var userTokens: UserTokenSettings?
    var logLevel: Logger.Level

    init(_ options: ServeOptions) throws {
        let settings = Settings(commandLine: [
            "host": options.host, "port": options.port, "database": options.database,
            "logLevel": options.logLevel, "maxBatch": options.maxBatch,
            "maxBatchBytes": options.maxBatchBytes, "queueLimit": options.queueLimit,
            "commandTimeoutMs": options.commandTimeoutMs,
            "maxConnections": options.maxConnections, "maxBodyBytes": options.maxBodyBytes,
            "idleTimeoutSeconds": options.idleTimeoutSeconds,
            "readTimeoutSeconds": options.readTimeoutSeconds,
            "writeTimeoutSeconds": options.writeTimeoutSeconds,
            "maxEventStreams": options.maxEventStreams,
            "eventHeartbeatSeconds": options.eventHeartbeatSeconds,
            "readConnections": options.readConnections, "commitDelayMs": options.commitDelayMs,
            "sweepIntervalSeconds": options.sweepIntervalSeconds,
            "anchorIntervalSeconds": options.anchorIntervalSeconds,
            "anchorFile": options.anchorFile, "anchorKeyFile": options.anchorKeyFile,
            "shutdownTimeoutSeconds": options.shutdownTimeoutSeconds,
            "jwtIssuer": options.jwtIssuer, "jwtAudience": options.jwtAudience,
            "jwtJwksUrl": options.jwtJwksUrl, "jwtRefreshSeconds": options.jwtRefreshSeconds,
        ])
        isDevelopment = options.dev
        mayCreate = options.create || options.dev
        database = try Database(settings.text("database", default: Database.defaultURL))
        server.host = settings.text("host", default: server.host)
        server.port = try settings.integer("port", default: server.port, in: 0...65_535)
        server.maximumConnections = try settings.integer(
            "maxConnections", default: server.maximumConnections, in: 1...1_000_000)
        server.maximumBody = try settings.integer(
            "maxBodyBytes", default: server.maximumBody, in: 1_024...16_777_216)
        server.idleTimeout = try settings.integer(
            "idleTimeoutSeconds", default: server.idleTimeout, in: 1...3_600)
        server.readTimeout = try settings.integer(
            "readTimeoutSeconds", default: server.readTimeout, in: 1...3_600)
        server.writeTimeout = try settings.integer(
            "writeTimeoutSeconds", default: server.writeTimeout, in: 1...3_600)
        server.eventStreams.maximum = try settings.integer(
            "maxEventStreams", default: server.eventStreams.maximum, in: 0...10_000)
        let heartbeat: Int64 = try settings.integer(
            "eventHeartbeatSeconds", default: 15, in: 1...3_600)
        server.eventStreams.heartbeat = .seconds(heartbeat)
        limits.maxBatch = try settings.integer(
            "maxBatch", default: limits.maxBatch, in: 1...10_000)
        limits.maxBatchBytes = try settings.integer(
            "maxBatchBytes", default: limits.maxBatchBytes, in: 1_024...67_108_864)
        limits.queueLimit = try settings.integer(
            "queueLimit", default: limits.queueLimit, in: 1...1_000_000)
        let timeout: Int64 = try settings.integer(
            "commandTimeoutMs", default: 5_000, in: 10...600_000)
        limits.commandTimeout = .milliseconds(timeout)
        readConnections = try settings.integer("readConnections", default: 2, in: 1...64)
        let delay: Int64 = try settings.integer("commitDelayMs", default: 0, in: 0...10_000)
        commitDelay = .milliseconds(delay)
        let sweep: Int64 = try settings.integer("sweepIntervalSeconds", default: 5, in: 0...3_600)
        sweepInterval = .seconds(sweep)
        anchors = try AnchorSettings(settings)
        let shutdown: Int64 = try settings.integer(
            "shutdownTimeoutSeconds", default: 25, in: 1...3_600)
        shutdownTimeout = .seconds(shutdown)
        bootstrapKey = settings.secret("bootstrapApiKey")
        userTokens = try UserTokenSettings(settings)
        let level = settings.text("logLevel", default: "info")
        guard let logLevel = Logger.Level(rawValue: level) else {
            throw CommandFailure(
                "\(Settings.names(of: "logLevel")) is \(level.debugDescription); it must be one "
                    + "of " + Logger.Level.allCases.map(\.rawValue).joined(separator: ", ") + ".")
        }
        self.logLevel = logLevel
        try validate()
    }

    private func validate() throws {
        if isDevelopment, !["127.0.0.1", "::1", "localhost"].contains(server.host) {
            throw CommandFailure("--dev listens on loopback only; leave --host out, or --dev.")
        }
        if let bootstrapKey {
            guard (20...200).contains(bootstrapKey.utf8.count),
                bootstrapKey.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            else {
                throw CommandFailure(
                    "WALLET_BOOTSTRAP_API_KEY must be 20 to 200 visible ASCII characters.")
            }
            guard userTokens == nil || !BearerToken(bootstrapKey).isUserToken else {
                throw CommandFailure(
                    "WALLET_BOOTSTRAP_API_KEY must not have the form of a user's token.")
            }
        }
    }
}
