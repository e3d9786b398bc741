import HTTPTypes
import LedgerEngine
import Synchronization
import WalletCore

/// Finds out who a request is from: the holder of an API key, or the user of a token.
///
/// Keys are looked up by their SHA-256 in the store, and remembered for a few seconds, so that a
/// revoked key stops working everywhere within ``lifetime``. What is unknown is remembered apart
/// from what is known and looked up by a few at a time: a flood of bad tokens displaces no good
/// key, and leaves the store to the others.
final class Authenticator: Sendable {
    /// How long a key is trusted without looking again.
    static let lifetime: Duration = .seconds(4)
    /// How long an unknown key is not looked up again.
    static let refusalLifetime: Duration = .seconds(1)
    /// How many keys are remembered at most, and how many that are unknown.
    static let capacity = 4_096
    /// How many keys that were not known lately are looked up at a time.
    static let lookups = 4
    /// How many wait for that; more are answered 503.
    static let line = 4_096

    private enum Finding {
        case caller(Caller)
        case nobody
    }

    private struct Findings {
        var known = RecentCache<Caller>(capacity: Authenticator.capacity)
        var unknown = RecentCache<Void>(capacity: Authenticator.capacity)

        func finding(_ hash: Digest) -> Finding? {
            let now = ContinuousClock.now
            if let caller = known.value(of: hash, at: now) { return .caller(caller) }
            return unknown.value(of: hash, at: now) == nil ? nil : .nobody
        }
    }

    private let store: any LedgerStore
    private let users: UserTokens?
    private let findings = Mutex(Findings())
    private let turnstile = Turnstile(places: Authenticator.lookups, line: Authenticator.line)

    /// - Parameter users: checks users' tokens; without it there are only API keys.
    init(store: any LedgerStore, users: UserTokens?) {
        self.store = store
        self.users = users
    }

    /// The caller, if the request bears a key that is not revoked or a token that is good.
    func caller(of headers: HTTPFields) async throws -> Caller {
        let token = try BearerToken(headers)
        if let users, token.isUserToken { return try await users.caller(of: token) }
        let hash = token.hash
        let (finding, wasKnown) = findings.withLock { findings in
            (findings.finding(hash), findings.known.wasKnown(hash))
        }
        switch finding {
        case .caller(let caller): return caller
        case .nobody: throw Authenticator.unknown
        case nil: break
        }
        // Whoever was known a moment ago does not stand in line behind strangers.
        if wasKnown { return try await lookUp(hash) }
        let passed = try await turnstile.pass { () async throws -> Caller in
            switch findings.withLock({ $0.finding(hash) }) {
            case .caller(let caller): return caller
            case .nobody: throw Authenticator.unknown
            case nil: return try await lookUp(hash)
            }
        }
        guard let passed else {
            throw Problem(.overloaded, "Too many unknown tokens are being looked up. Try again.")
        }
        return passed
    }

    private func lookUp(_ hash: Digest) async throws -> Caller {
        let now = ContinuousClock.now
        guard let key = try await store.read({ try $0.apiKey(hash: hash) }), key.revokedAt == nil
        else {
            findings.withLock { findings in
                findings.known.forget(hash)
                findings.unknown.remember(
                    (), of: hash, until: now + Authenticator.refusalLifetime)
            }
            throw Authenticator.unknown
        }
        let caller = Caller(
            actor: .apiKey(id: key.id, principal: key.principal), scopes: key.scopes)
        findings.withLock {
            $0.known.remember(caller, of: hash, until: now + Authenticator.lifetime)
        }
        return caller
    }

    private static let unknown = Problem(
        .unauthenticated, "The token is not known, or has been revoked.")
}
