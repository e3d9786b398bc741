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
