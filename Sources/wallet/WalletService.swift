import ArgumentParser
import Foundation
import LedgerEngine
import LedgerStores
import Logging
import ServiceLifecycle
import UnixSignals
import WalletAPI
import WalletCore

/// The service put together: store, sequencer, queries, HTTP. The only place that knows them all.
struct WalletService {
    private let settings: ServeSettings
    private let logger: Logger
    private let store: SQLiteLedgerStore
    private let lock: ServiceLock
    private let failures: FailureLog

    /// 4 MB of the write-ahead log, from which a commit copies them into the file.
    private static let checkpointPages = 1_000

    init(_ settings: ServeSettings, logger: Logger) throws {
        self.settings = settings
        self.logger = logger
        failures = FailureLog(logger)
        lock = try settings.database.lock(mayCreate: settings.mayCreate)
        store = try settings.database.open(
            settings.mayCreate ? .creating : .writing
        ) { configuration in
            configuration.checkpointPages = WalletService.checkpointPages
            configuration.readConnections = settings.readConnections
            configuration.commitDelay = settings.commitDelay
        }
    }

    /// The exit code of a stop whose time was over before everything was done.
    private static let abandonedExitCode: Int32 = 3
    /// How long the transaction under way may take when the time for a stop is over. After it the
    /// process ends by a trap, which harms the ledger no more than a power cut.
    private static let lastTransactionTimeout: Duration = .seconds(30)

    /// Runs until a signal asks for the end: readiness fails, the listener drains, the queue
    /// empties, and everything that was acknowledged is in the log.
    func run() async throws {
        guard let tokens = settings.userTokens else { return try await run(keys: nil) }
        try await tokens.withKeyRing(logger: logger) { try await run(keys: $0) }
    }

    /// - Parameter keys: the keys for users' tokens, if there are users.
    private func run(keys: KeyRing?) async throws {
        defer { withExtendedLifetime(lock) {} }
        try await announceLedger()
        try await seedBootstrapKey()
        let feed = LogFeed()
        let sequencer = Sequencer(
            store: store, limits: settings.limits, entropy: SystemEntropy.next,
            announce: { feed.announce($0.position) },
            report: { [failures] in failures.report($0) })
        let queries = Queries(store: store, now: SystemClock.now)
        let readiness = Readiness()
        let responder = WalletServer.responder(
            store: store, sequencer: sequencer, queries: queries, readiness: readiness,
            feed: feed, eventStreams: settings.server.eventStreams, users: keys.flatMap(users),
            maximumBody: settings.server.maximumBody, entropy: SystemEntropy.next, logger: logger)
        var quiet = logger
        quiet.logLevel = max(settings.logLevel, .notice)
        let application = WalletServer.application(
            responder, settings.server, logger: quiet
        ) { [host = settings.server.host] port in
            // Only now: a start that fails on the port must not end the key of the one that runs.
            let developmentKey = await makeDevelopmentKey()
            let url = "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
            StandardOutput.write("wallet service ready on \(url)\n")
            if let developmentKey {
                StandardOutput.write(DevelopmentGuide(url: url, key: developmentKey).text)
            }
        }
        // Stopped in reverse: readiness first, then the streams of events, which would keep the
        // listener from ending, then the listener, then the queue; the last anchor is of all that
        // was recorded.
        var configuration = ServiceGroupConfiguration(
            services: [
                .init(
                    service: AnchorService(
                        queries: queries, settings: settings.anchors, logger: logger)),
                .init(service: SequencerService(sequencer: sequencer)),
                .init(
                    service: SweeperService(
                        sequencer: sequencer, interval: settings.sweepInterval, logger: logger)),
                .init(service: application), .init(service: LogFeedService(feed: feed)),
                .init(service: ReadinessService(readiness: readiness)),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        if let keys {
            configuration.services.insert(.init(service: KeyRingService(keys: keys)), at: 0)
        }
        configuration.maximumGracefulShutdownDuration = settings.shutdownTimeout
        configuration.maximumCancellationDuration = WalletService.lastTransactionTimeout
        try await ServiceGroup(configuration: configuration).run()
        do {
            if try await !store.foldWriteAheadLog() {
                logger.warning(
                    "another process reads the write-ahead log, so it stays; keep both together")
            }
        } catch {
            logger.warning(
                "the write-ahead log stays beside the ledger's file; keep both together",
                metadata: ["error": "\(error)"])
        }
        guard !sequencer.isAbandoned else {
            logger.warning("the time for the stop was over; what was waiting has been abandoned")
            throw ExitCode(WalletService.abandonedExitCode)
        }
        logger.notice("stopped")
    }

    private func users(_ keys: KeyRing) -> UserTokens? {
        settings.userTokens.map { tokens in
            UserTokens(
                issuer: tokens.issuer, audience: tokens.audience, keys: keys,
                now: SystemClock.now)
        }
    }

    /// Says which ledger it is and how far: a wrong disk is seen at once.
    private func announceLedger() async throws {
        let head = try await store.read { try $0.head() }
        let place: Logger.Metadata = [
            "ledger": "\(head.ledger)", "epoch": "\(head.epoch)", "position": "\(head.position)",
        ]
        if store.isNew {
            logger.notice("made a new ledger", metadata: place)
        } else {
            logger.info("opened the ledger", metadata: place)
        }
    }

    /// Makes sure that the key from the environment works, unless it has been revoked.
    private func seedBootstrapKey() async throws {
        guard let secret = settings.bootstrapKey else { return }
        let key = APIKey(
            secret: secret, principal: "bootstrap", scopes: [.read, .write, .admin])
        try await store.write { transaction in
            guard try transaction.apiKey(hash: key.hash) == nil else { return }
            try transaction.insert(key)
        }
    }

    /// A fresh admin key for `--dev`; the ones of earlier starts end, those that somebody made for
    /// the same principal do not.
    private func makeDevelopmentKey() async -> String? {
        guard settings.isDevelopment else { return nil }
        let prefix = "dev_"
        let (key, secret) = APIKey.make(
            principal: "development", scopes: [.read, .write, .admin], idPrefix: prefix)
        do {
            try await store.write { transaction in
                let now = try transaction.now()
                for old in try transaction.apiKeys() where old.id.hasPrefix(prefix) {
                    _ = try transaction.revokeAPIKey(id: old.id, at: now)
                }
                try transaction.insert(key)
            }
            return secret
        } catch {
            logger.error("no key was made", metadata: ["error": "\(error)"])
            return nil
        }
    }
}

/// Runs the sequencer as part of the group.
private struct SequencerService: Service {
    let sequencer: Sequencer

    func run() async throws {
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await sequencer.run()
            } onGracefulShutdown: {
                sequencer.stop()
            }
        } onCancel: {
            sequencer.abandon()
        }
    }
}

/// Keeps the issuer's keys fresh as long as requests are answered.
private struct KeyRingService: Service {
    let keys: KeyRing

    func run() async throws {
        await cancelWhenGracefulShutdown { await keys.run() }
    }
}

/// Records now and then which holds have expired.
///
/// Nothing depends on it: an expired hold is expired for everyone from its instant on. It keeps the
/// next command on a wallet from having to record many.
private struct SweeperService: Service {
    let sequencer: Sequencer
    /// Zero for never.
    let interval: Duration
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while interval > .zero, await rest() { await sweep() }
            // A service that ends early ends the others with it.
            try? await gracefulShutdown()
        }
    }

    /// Waits for the next turn; false when there is none.
    private func rest() async -> Bool {
        do {
            try await Task.sleep(for: interval)
            return true
        } catch {
            return false
        }
    }

    /// Records all that is due, one bounded transaction after the other.
    private func sweep() async {
        do {
            var count = 0
            repeat {
                count = try await sequencer.sweep()
                if count > 0 { logger.debug("holds expired", metadata: ["count": "\(count)"]) }
            } while count > 0 && !Task.isCancelled
        } catch {
            // The sequencer has reported why; the next turn is another try.
            logger.debug("a sweep failed", metadata: ["error": "\(error)"])
        }
    }
}

/// Wakes those who follow the log now and then, and sends them home as a step of a stop.
private struct LogFeedService: Service {
    let feed: LogFeed

    func run() async throws {
        await cancelWhenGracefulShutdown { await feed.run() }
    }
}

/// Fails readiness as the first step of a stop.
private struct ReadinessService: Service {
    let readiness: Readiness

    func run() async throws {
        try? await gracefulShutdown()
        readiness.stop()
    }
}

/// Standard output without a buffer, so that whoever waits for a line gets it at once.
enum StandardOutput {
    static func write(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }
}

/// What `--dev` prints: lines to copy into another terminal.
private struct DevelopmentGuide {
    let url: String
    let key: String

    var text: String {
        let run = String(SystemEntropy.next() & 0xFFFF_FFFF, radix: 36)
        return """

            An admin key for this run (earlier ones have ended):
              \(key)

            Copy into another terminal:
              wallet() { curl -sS -H 'Authorization: Bearer \(key)' \
            -H 'Content-Type: application/json' "$@"; echo; }
              id() { sed 's/{"id":"\\([^"]*\\).*/\\1/'; }
              ALICE=$(wallet \(url)/v1/wallets -H 'Idempotency-Key: \(run)-1' \
            -d '{"userId":"alice","currency":"USD"}' | id)
              BOB=$(wallet \(url)/v1/wallets -H 'Idempotency-Key: \(run)-2' \
            -d '{"userId":"bob","currency":"USD"}' | id)
              wallet \(url)/v1/wallets/$ALICE/deposits -H 'Idempotency-Key: \(run)-3' \
            -d '{"amount":10000}'
              wallet \(url)/v1/transfers -H 'Idempotency-Key: \(run)-4' \
            -d '{"from":"'$ALICE'","to":"'$BOB'","amount":2550}'
              wallet \(url)/v1/wallets/$ALICE/balance

            Stop with Ctrl-C. The ledger stays.

            """
    }
}
