import Crypto
import Synchronization
import WalletAPI
import WalletCore
import WalletTesting

/// An issuer of users' tokens, which signs by Ed25519 and counts how often it is asked for keys.
struct TestIssuer: Sendable {
    static let name = "https://issuer.example"
    static let audience = "wallet"

    let publisher = Publisher()
    let ring: KeyRing

    /// - Parameter delay: how long a fetch takes.
    init(limits: KeyRing.Limits = KeyRing.Limits(), delay: Duration = .zero) {
        ring = KeyRing(limits: limits) { [publisher] in
            .now + publisher.lead
        } fetch: { [publisher] in
            try await Task.sleep(for: delay)
            return try publisher.publish()
        } report: { [publisher] _ in
            publisher.countFailure()
        }
    }

    /// A token for a user, good for ten minutes unless it is told otherwise.
    ///
    /// - Parameter seconds: when it expires, counted from the start of the manual clock.
    func token(
        _ user: String, scope: String = "read write", kid: String = "first",
        expiring seconds: Int64 = 600
    ) throws -> String {
        let start = ManualClock.start.microseconds / 1_000_000
        let header = #"{"alg":"EdDSA","typ":"JWT","kid":"\#(kid)"}"#
        let claims = """
            {"iss":"\(TestIssuer.name)","aud":"\(TestIssuer.audience)","sub":"\(user)",\
            "scope":"\(scope)","exp":\(start + seconds)}
            """
        let text = [header, claims].map { Base64URL.encode(Array($0.utf8)) }
            .joined(separator: ".")
        return text + "." + Base64URL.encode(try publisher.sign(Array(text.utf8), kid: kid))
    }
}

/// What an issuer has on its web server.
final class Publisher: Sendable {
    struct Unreachable: Error {}

    private struct State {
        var keys = ["first": Curve25519.Signing.PrivateKey()]
        var isReachable = true
        var fetches = 0
        var failures = 0
        var lead = Duration.zero
    }

    private let state = Mutex(State())

    var fetches: Int { state.withLock { $0.fetches } }
    var failures: Int { state.withLock { $0.failures } }

    /// How far the ring's clock is ahead.
    var lead: Duration { state.withLock { $0.lead } }

    func advance(by duration: Duration) { state.withLock { $0.lead += duration } }

    func countFailure() { state.withLock { $0.failures += 1 } }

    func setReachable(_ isReachable: Bool) { state.withLock { $0.isReachable = isReachable } }

    func replaceKeys(by id: String) {
        state.withLock { $0.keys = [id: Curve25519.Signing.PrivateKey()] }
    }

    @Sendable func publish() throws -> [UInt8] {
        try state.withLock { state in
            state.fetches += 1
            guard state.isReachable else { throw Unreachable() }
            let keys = state.keys.map { id, key in
                let x = Base64URL.encode(Array(key.publicKey.rawRepresentation))
                return #"{"kty":"OKP","crv":"Ed25519","kid":"\#(id)","x":"\#(x)"}"#
            }
            return Array(#"{"keys":[\#(keys.joined(separator: ","))]}"#.utf8)
        }
    }

    /// Signs with the key of that name, or with a new one if there is none.
    func sign(_ bytes: [UInt8], kid: String) throws -> [UInt8] {
        let key = state.withLock { $0.keys[kid] } ?? Curve25519.Signing.PrivateKey()
        return Array(try key.signature(for: bytes))
    }
}
