import HTTPTypes
import Hummingbird
import LedgerEngine
import Logging
import NIOCore
import Synchronization
import WalletAPI
import WalletCore
import WalletTesting

/// The whole service but for the socket, over a ledger in memory whose clock stands still.
struct Service: Sendable {
    /// A secret for each set of scopes, by their names.
    static let secrets: [(scopes: Scopes, secret: String)] = [
        ([.read], "wk_reader"), ([.write], "wk_writer"), ([.admin], "wk_auditor"),
        ([.read, .write, .admin], "wk_shop"),
    ]
    static let revokedSecret = "wk_revoked"

    let clock = ManualClock()
    let fault = FaultSwitch()
    let store: FaultyLedgerStore
    let sequencer: Sequencer
    let readiness = Readiness()
    let responder: WalletResponder
    private let nextKey = Counter()

    private init(maximumBody: Int, queueLimit: Int, issuer: TestIssuer?) async throws {
        let memory = InMemoryLedgerStore(ledger: Fixture.ledger) { [clock] in clock.now }
        store = FaultyLedgerStore(memory) { [fault] in fault.current }
        var limits = Sequencer.Limits()
        limits.queueLimit = queueLimit
        let entropy = SeededEntropy(seed: 1)
        sequencer = Sequencer(store: store, limits: limits, entropy: entropy.next)
        responder = WalletServer.responder(
            store: store, sequencer: sequencer,
            queries: Queries(store: store) { [clock] in clock.now }, readiness: readiness,
            users: issuer.map { [clock] issuer in
                UserTokens(
                    issuer: TestIssuer.name, audience: TestIssuer.audience, keys: issuer.ring,
                    now: { clock.now })
            }, maximumBody: maximumBody, entropy: entropy.next,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await memory.write { [clock] transaction in
            for (scopes, secret) in Service.secrets {
                try transaction.insert(
                    .of(secret, scopes: scopes, createdAt: clock.now, revokedAt: nil))
            }
            try transaction.insert(
                .of(
                    Service.revokedSecret, scopes: [.read, .write, .admin], createdAt: clock.now,
                    revokedAt: clock.now))
        }
    }

    /// Runs a service for as long as the body does.
    ///
    /// - Parameters:
    ///   - isWriting: whether the queue is worked on; if not, it only fills.
    ///   - issuer: whose users there are.
    static func run(
        maximumBody: Int = 1 << 20, queueLimit: Int = 1_000, isWriting: Bool = true,
        issuer: TestIssuer? = nil, _ body: @Sendable (Service) async throws -> Void
    ) async throws {
        let service = try await Service(
            maximumBody: maximumBody, queueLimit: queueLimit, issuer: issuer)
        try await withThrowingTaskGroup(of: Void.self) { group in
            if isWriting { group.addTask { await service.sequencer.run() } }
            if let issuer { group.addTask { await issuer.ring.run() } }
            defer {
                service.sequencer.stop()
                group.cancelAll()
            }
            try await body(service)
        }
    }

    /// Sends one request; a header whose value is `nil` is left out.
    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: [UInt8] = [],
        headers: [String: String?] = [:], secret: String? = "wk_shop"
    ) async throws -> Answer {
        var sent: [String: String?] = ["Authorization": secret.map { "Bearer \($0)" }]
        if method == .post {
            sent["Content-Type"] = "application/json"
            sent["Idempotency-Key"] = "key-\(nextKey.next())"
        }
        sent.merge(headers) { _, new in new }
        var fields = HTTPFields()
        for (name, value) in sent {
            guard let value, let name = HTTPField.Name(name) else { continue }
            fields.append(HTTPField(name: name, value: value))
        }
        let request = Request(
            head: HTTPRequest(
                method: method, scheme: "http", authority: "test", path: path,
                headerFields: fields),
            body: RequestBody(buffer: ByteBuffer(bytes: body)))
        return try await Answer(responder.respond(to: request, context: WalletRequestContext()))
    }

    func get(_ path: String, headers: [String: String?] = [:]) async throws -> Answer {
        try await send(.get, path, headers: headers)
    }

    func post(
        _ path: String, _ body: String, headers: [String: String?] = [:]
    ) async throws -> Answer {
        try await send(.post, path, Array(body.utf8), headers: headers)
    }

    /// Opens a wallet with funds, and tells its identifier.
    func wallet(_ funds: Int64 = 0, currency: String = "USD") async throws -> String {
        let opened = try await post(
            "/v1/wallets", #"{"userId":"alice","currency":"\#(currency)"}"#)
        let id = try opened.text("id")
        if funds > 0 {
            _ = try await post("/v1/wallets/\(id)/deposits", #"{"amount":\#(funds)}"#)
        }
        return id
    }

    /// Has the ledger do what no route does yet.
    func command(_ command: Command) async throws {
        _ = try await sequencer.submit(
            Fixture.submission(command, key: "command-\(nextKey.next())"))
    }
}

extension APIKey {
    fileprivate static func of(
        _ secret: String, scopes: Scopes, createdAt: Instant, revokedAt: Instant?
    ) -> APIKey {
        APIKey(
            id: "key_of_\(secret)", hash: .sha256(Array(secret.utf8)), principal: "shop",
            scopes: scopes, createdAt: createdAt, revokedAt: revokedAt)
    }
}

/// Which fault the store has at present.
final class FaultSwitch: Sendable {
    private let fault = Mutex<FaultyLedgerStore.Fault?>(nil)

    var current: FaultyLedgerStore.Fault? { fault.withLock { $0 } }

    func set(_ new: FaultyLedgerStore.Fault?) { fault.withLock { $0 = new } }
}

/// Numbers that have not been used before.
final class Counter: Sendable {
    private let last = Mutex(0)

    func next() -> Int {
        last.withLock { last in
            last += 1
            return last
        }
    }
}
