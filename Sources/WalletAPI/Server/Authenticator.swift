import HTTPTypes
import LedgerEngine
import Synchronization
import WalletCore

/// Finds out who a request is from, by the API key it bears.
///
/// Keys are looked up by their SHA-256 in the store, and remembered for a few seconds, so that a
/// revoked key stops working everywhere within ``lifetime``.
final class Authenticator: Sendable {
    /// How long a key is trusted without looking again.
    static let lifetime: Duration = .seconds(4)
    /// How many keys are remembered at most.
    static let capacity = 4_096

    private struct Remembered {
        var caller: Caller
        var until: ContinuousClock.Instant
    }

    private let store: any LedgerStore
    private let remembered = Mutex<[Digest: Remembered]>([:])

    init(store: any LedgerStore) {
        self.store = store
    }

    /// The caller, if the request bears a key that is not revoked.
    func caller(of headers: HTTPFields) async throws -> Caller {
        guard let header = headers[.authorization] else {
            throw Problem(
                .unauthenticated, "An Authorization header with a bearer token is needed.")
        }
        guard header.prefix(7).lowercased() == "bearer ", header.utf8.count <= 8_192 else {
            throw Problem(.unauthenticated, "The Authorization header must be `Bearer <token>`.")
        }
        let hash = Digest.sha256(Array(header.utf8.dropFirst(7)))
        let now = ContinuousClock.now
        if let known = remembered.withLock({ $0[hash] }), known.until > now {
            return known.caller
        }
        guard let key = try await store.read({ try $0.apiKey(hash: hash) }), key.revokedAt == nil
        else {
            remembered.withLock { $0[hash] = nil }
            throw Problem(.unauthenticated, "The token is not known, or has been revoked.")
        }
        let caller = Caller(
            actor: .apiKey(id: key.id, principal: key.principal), scopes: key.scopes)
        remembered.withLock { remembered in
            if remembered.count >= Authenticator.capacity { remembered.removeAll() }
            remembered[hash] = Remembered(caller: caller, until: now + Authenticator.lifetime)
        }
        return caller
    }
}
