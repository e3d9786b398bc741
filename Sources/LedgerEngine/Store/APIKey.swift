package import WalletCore

/// What a caller may do.
package struct Scopes: OptionSet, Hashable, Sendable {
    package let rawValue: Int64

    package init(rawValue: Int64) {
        self.rawValue = rawValue
    }

    package static let read = Scopes(rawValue: 1)
    package static let write = Scopes(rawValue: 2)
    package static let admin = Scopes(rawValue: 4)

    static let all: Scopes = [.read, .write, .admin]

    /// The scopes by their names, in the order in which they are shown.
    package static let named: [(name: String, scope: Scopes)] = [
        ("read", .read), ("write", .write), ("admin", .admin),
    ]

    /// The names of the scopes.
    package var names: [String] {
        Scopes.named.filter { contains($0.scope) }.map(\.name)
    }

    /// Scopes by their names; `nil` where one is unknown or there is none.
    package init?(names: some Sequence<some StringProtocol>) {
        var scopes: Scopes = []
        for name in names {
            guard let scope = Scopes.named.first(where: { $0.name == name })?.scope else {
                return nil
            }
            scopes.insert(scope)
        }
        guard !scopes.isEmpty else { return nil }
        self = scopes
    }
}

/// Where a key stands in the list of all.
package struct APIKeyPlace: Hashable, Sendable {
    package var createdAt: Instant
    package var id: String

    package init(createdAt: Instant, id: String) {
        self.createdAt = createdAt
        self.id = id
    }
}

extension APIKeyPlace: Comparable {
    package static func < (one: APIKeyPlace, other: APIKeyPlace) -> Bool {
        if one.createdAt != other.createdAt { return one.createdAt < other.createdAt }
        return one.id.utf8.lexicographicallyPrecedes(other.id.utf8)
    }
}

/// A platform's key, of which only the hash is kept.
package struct APIKey: Hashable, Sendable {
    /// Names the key in lists and events; no secret.
    package var id: String
    /// SHA-256 of the secret.
    package var hash: Digest
    /// The name that the keys which replace one another share.
    package var principal: String
    package var scopes: Scopes
    package var createdAt: Instant
    package var revokedAt: Instant?

    package init(
        id: String, hash: Digest, principal: String, scopes: Scopes, createdAt: Instant,
        revokedAt: Instant?
    ) {
        self.id = id
        self.hash = hash
        self.principal = principal
        self.scopes = scopes
        self.createdAt = createdAt
        self.revokedAt = revokedAt
    }
}

extension APIKey {
    package var place: APIKeyPlace { APIKeyPlace(createdAt: createdAt, id: id) }

    /// A secret of 192 random bits, which is shown once and kept only as a hash.
    package static func makeSecret(entropy: () -> UInt64) -> String {
        var bytes = Array("wk_".utf8)
        for _ in 0..<3 { bytes.appendHex(entropy(), digits: 16) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether its principal and scopes are ones that a key can be made with.
    var canBeGiven: Bool {
        (1...Scopes.all.rawValue).contains(scopes.rawValue) && APIKey.isPrincipal(principal)
    }

    /// Whether a principal may have this name: 1 to 128 characters, no space or control.
    package static func isPrincipal(_ name: String) -> Bool {
        (1...128).contains(name.unicodeScalars.count)
            && name.unicodeScalars.allSatisfy { scalar in
                scalar.value > 0x20 && scalar.properties.generalCategory != .control
            }
    }
}
