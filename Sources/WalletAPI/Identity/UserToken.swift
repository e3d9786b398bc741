import LedgerEngine
import WalletCore

/// A user's token (RFC 7519) taken apart, before anything in it is believed.
struct UserToken: Sendable {
    let algorithm: TokenAlgorithm
    let keyID: String
    let signedBytes: [UInt8]
    let signature: [UInt8]
    private let claims: [JSONMember]

    /// `nil` unless it is signed by one of our algorithms and names its key.
    init?(_ token: BearerToken) {
        let parts = token.text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = UserToken.object(parts[0]),
            let claims = UserToken.object(parts[1]),
            let signature = Base64URL.decode(String(parts[2])), !signature.isEmpty,
            let algorithm = header.string("alg").flatMap({ TokenAlgorithm(rawValue: $0) }),
            let keyID = header.string("kid"), !keyID.isEmpty,
            // Critical extensions are those that must be understood; none is.
            header.value("crit") == nil, UserToken.isAccess(header)
        else { return nil }
        self.algorithm = algorithm
        self.keyID = keyID
        self.signature = signature
        self.claims = claims
        signedBytes = Array(token.text.utf8.dropLast(parts[2].utf8.count + 1))
    }

    private static func object(_ part: Substring) -> [JSONMember]? {
        guard let bytes = Base64URL.decode(String(part)),
            case .object(let members)? = try? JSONParser.parse(bytes)
        else { return nil }
        return members
    }

    /// Whether the type, if there is one, is not that of a token for another purpose.
    private static func isAccess(_ header: [JSONMember]) -> Bool {
        switch header.value("typ") {
        case nil: true
        case .string(let type)?:
            ["jwt", "at+jwt", "application/jwt", "application/at+jwt"].contains(type.lowercased())
        case .some: false
        }
    }
}

/// What the claims say.
extension UserToken {
    var issuer: String? { claims.string("iss") }

    /// The user, if there is one whom a wallet could belong to.
    var subject: String? {
        claims.string("sub").flatMap { $0.isIdentifier(TextLimits.userID) ? $0 : nil }
    }

    func isFor(_ audience: String) -> Bool {
        switch claims.value("aud") {
        case .string(let one)?: one.isByteEqual(to: audience)
        case .array(let several)?:
            several.contains { entry in
                guard case .string(let one) = entry else { return false }
                return one.isByteEqual(to: audience)
            }
        case nil, .some: false
        }
    }

    /// When it expires; a token that never does is no good.
    var expiry: Instant? { claims.value("exp")?.instant }

    /// Whether it is good already, with some allowance for clocks that differ.
    func hasBegun(at now: Instant, leeway: Int64) -> Bool {
        guard let value = claims.value("nbf") else { return true }
        guard let start = value.instant else { return false }
        return start.microseconds - leeway <= now.microseconds
    }

    /// The names in `scope` that are a user's; `admin` never is.
    var scopes: Scopes {
        var scopes: Scopes = []
        for name in (claims.string("scope") ?? "").split(separator: " ") {
            switch name {
            case "read": scopes.insert(.read)
            case "write": scopes.insert(.write)
            default: break
            }
        }
        return scopes
    }
}

extension [JSONMember] {
    func value(_ name: String) -> JSONValue? { first { $0.name == name }?.value }

    func string(_ name: String) -> String? {
        guard case .string(let text)? = value(name) else { return nil }
        return text
    }
}

extension JSONValue {
    /// A date in whole seconds since 1970, up to the year 9999.
    fileprivate var instant: Instant? {
        guard case .integer(let seconds) = self, (0...253_402_300_799).contains(seconds)
        else { return nil }
        return Instant(microseconds: seconds * 1_000_000)
    }
}

extension String {
    /// `==` would take `é` written in two ways for one.
    func isByteEqual(to other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
