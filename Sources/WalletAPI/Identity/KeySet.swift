import JWTKit
import WalletCore

/// The public keys of an issuer (RFC 7517), by their identifiers.
struct KeySet: Sendable {
    /// How many keys of a set are looked at.
    static let maximumKeys = 100

    /// Why a set cannot be used.
    enum Fault: Error {
        case malformed
        /// None of its keys is for signatures by one of our algorithms.
        case empty
    }

    private var keys: [String: [TokenAlgorithm: any JWTAlgorithm]] = [:]

    /// Reads a set. Keys for other purposes, of other kinds, without an identifier or too weak are
    /// left out, as the standard asks.
    init(json: [UInt8]) async throws(Fault) {
        guard case .object(let members)? = try? JSONParser.parse(json),
            case .array(let entries)? = members.value("keys")
        else { throw .malformed }
        for case .object(let key) in entries.prefix(KeySet.maximumKeys) {
            guard let id = key.string("kid"), !id.isEmpty, ["sig", nil].contains(key.string("use"))
            else { continue }
            for algorithm in TokenAlgorithm.allCases {
                guard [nil, algorithm.rawValue].contains(key.string("alg")),
                    keys[id]?[algorithm] == nil,
                    let jwk = JWK(key, for: algorithm),
                    let verifier = try? await jwk.verifier()
                else { continue }
                keys[id, default: [:]][algorithm] = verifier
            }
        }
        if keys.isEmpty { throw .empty }
    }

    func contains(_ keyID: String) -> Bool { keys[keyID] != nil }

    /// Whether the token was signed by the key that it names, by the algorithm that it names.
    func hasSigned(_ token: UserToken) -> Bool {
        guard let key = keys[token.keyID]?[token.algorithm] else { return false }
        return (try? key.verify(token.signature, signs: token.signedBytes)) ?? false
    }
}

extension JWK {
    /// Takes the public parts alone, and only where they are what the algorithm needs.
    fileprivate init?(_ key: [JSONMember], for algorithm: TokenAlgorithm) {
        let id = JWKIdentifier(string: "key")
        func rsa(_ name: Algorithm) -> JWK? {
            // 8192 bits: what is longer costs more to check than it is worth.
            guard key.string("kty") == "RSA", let modulus = key.string("n"),
                let exponent = key.string("e"), modulus.utf8.count <= 1_366,
                exponent.utf8.count <= 8
            else { return nil }
            return .rsa(name, identifier: id, modulus: modulus, exponent: exponent)
        }
        func ecdsa(_ name: Algorithm, _ curve: ECDSACurve) -> JWK? {
            guard key.string("kty") == "EC", key.string("crv") == curve.rawValue,
                let x = key.string("x"), let y = key.string("y")
            else { return nil }
            return .ecdsa(name, identifier: id, x: x, y: y, curve: curve)
        }
        let jwk: JWK?
        switch algorithm {
        case .rs256: jwk = rsa(.rs256)
        case .ps256: jwk = rsa(.ps256)
        case .es256: jwk = ecdsa(.es256, .p256)
        case .es384: jwk = ecdsa(.es384, .p384)
        case .eddsa:
            guard key.string("kty") == "OKP", key.string("crv") == EdDSACurve.ed25519.rawValue,
                let x = key.string("x")
            else { return nil }
            jwk = .octetKeyPair(.eddsa, identifier: id, x: x, y: nil, curve: .ed25519)
        }
        guard let jwk else { return nil }
        self = jwk
    }

    fileprivate func verifier() async throws -> any JWTAlgorithm {
        let collection = JWTKeyCollection()
        try await collection.add(jwk: self)
        return try await collection.getKey(for: keyIdentifier)
    }
}
