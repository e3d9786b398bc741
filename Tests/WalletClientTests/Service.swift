import Hummingbird
import LedgerEngine
import Logging
import WalletAPI
import WalletClient
import WalletCore
import WalletTesting

/// The real service on a port of this machine, over a ledger in memory.
enum Service {
    /// Runs a service for as long as the body does, with a client that may do everything.
    static func run(
        _ body: @escaping @Sendable (WalletClient) async throws -> Void
    ) async throws {
        let clock = ManualClock()
        let tick: @Sendable () -> Instant = {
            clock.advance(byMicroseconds: 1)
            return clock.now
        }
        let store = InMemoryLedgerStore(ledger: Fixture.ledger, now: tick)
        let secret = "wk_test"
        try await store.write { transaction in
            try transaction.insert(
                APIKey(
                    id: "key_1", hash: .sha256(Array(secret.utf8)), principal: "shop",
                    scopes: [.read, .write, .admin], createdAt: ManualClock.start,
                    revokedAt: nil))
        }
        let entropy = SeededEntropy(seed: 1)
        let sequencer = Sequencer(store: store, entropy: entropy.next)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let responder = WalletServer.responder(
            store: store, sequencer: sequencer, queries: Queries(store: store, now: tick),
            readiness: Readiness(), entropy: entropy.next, logger: logger)
        var configuration = WalletServer.Configuration()
        configuration.port = 0
        let (ports, onReady) = AsyncStream.makeStream(of: Int.self)
        let application = WalletServer.application(responder, configuration, logger: logger) {
            onReady.yield($0)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer {
                sequencer.stop()
                group.cancelAll()
            }
            group.addTask { await sequencer.run() }
            group.addTask { try await application.run() }
            for await port in ports {
                try await body(try WalletClient(url: "http://127.0.0.1:\(port)", token: secret))
                break
            }
        }
    }
}
