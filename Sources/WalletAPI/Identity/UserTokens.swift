import LedgerEngine
import Synchronization
package import WalletCore

/// Checks users' tokens: signature, issuer, audience, time, and who they stand for.
///
/// A token that was good is remembered for a moment by its SHA-256, and never past its expiry: a
/// signature costs more to check than all the rest of a request.
package final class UserTokens: Sendable {
    /// How far the issuer's clock may be from ours, in microseconds.
    static let leeway: Int64 = 5_000_000
    /// How long a good token is not checked again.
    static let lifetime: Duration = .seconds(4)
    /// How many good tokens are remembered at most.
    static let capacity = 16_384

    private let issuer: String
    private let audience: String
    private let keys: KeyRing
    private let now: @Sendable () -> Instant
    private let remembered = Mutex(RecentCache<Judgement>(capacity: UserTokens.capacity))

    /// Whom a token stands for, and until when.
    private struct Judgement: Sendable {
        var caller: Caller
        var expiry: Instant
    }

    /// - Parameter now: the clock that expiries are compared with.
    package init(
        issuer: String, audience: String, keys: KeyRing, now: @escaping @Sendable () -> Instant
    ) {
        self.issuer = issuer
        self.audience = audience
        self.keys = keys
        self.now = now
    }

    /// The user whom a token stands for.
    func caller(of bearer: BearerToken) async throws(Problem) -> Caller {
        let hash = bearer.hash
        let earlier = remembered.withLock { $0.value(of: hash, at: .now) }
        if let earlier, now() < earlier.expiry { return earlier.caller }
        // What is said of a bad token does not depend on what is wrong with it.
        guard let token = UserToken(bearer) else { throw UserTokens.refusal }
        let judgement = try judge(token)
        guard let keys = await keys.keys(for: token.keyID) else {
            throw Problem(.readsUnavailable, "Users' tokens cannot be checked now. Try again.")
        }
        guard keys.hasSigned(token) else { throw UserTokens.refusal }
        remembered.withLock {
            $0.remember(judgement, of: hash, until: .now + UserTokens.lifetime)
        }
        return judgement.caller
    }

    /// Believes the claims, if they are for this service and this time.
    private func judge(_ token: UserToken) throws(Problem) -> Judgement {
        let now = now()
        guard let issuer = token.issuer, issuer.isByteEqual(to: self.issuer),
            token.isFor(audience), let subject = token.subject, let expiry = token.expiry,
            now.microseconds < expiry.microseconds + UserTokens.leeway,
            token.hasBegun(at: now, leeway: UserTokens.leeway)
        else { throw UserTokens.refusal }
        let caller = Caller(
            actor: .user(issuer: issuer, subject: subject), scopes: token.scopes)
        return Judgement(caller: caller, expiry: expiry)
    }

    private static let refusal = Problem(
        .unauthenticated, "The token is malformed, expired, or not one for this service.")
}
