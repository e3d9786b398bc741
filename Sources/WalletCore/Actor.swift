/// Who caused an event: a platform's back end, an end user, or the ledger itself.
package enum Actor: Hashable, Sendable {
    /// An API key: its own identifier, and the principal that the keys which replace it share.
    case apiKey(id: String, principal: String)
    /// A user token: its issuer and subject.
    case user(issuer: String, subject: String)
    /// The ledger, when time does it: a hold that expires.
    case system

    /// The name that transactions show.
    package var name: String {
        switch self {
        case .apiKey(_, let principal): principal
        case .user(_, let subject): subject
        case .system: "system"
        }
    }

    /// The user that a token stands for; `nil` where it is not a user who acts.
    package var user: UserID? {
        switch self {
        case .user(_, let subject): UserID(subject)
        case .apiKey, .system: nil
        }
    }

    /// The bytes that an idempotency key or a reference is scoped by: kind, issuer and principal
    /// or subject, each with its length, so that no two callers share a scope by concatenation.
    package var scope: [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .apiKey(_, let principal):
            bytes.appendLengthPrefixed("api-key")
            bytes.appendLengthPrefixed("")
            bytes.appendLengthPrefixed(principal)
        case .user(let issuer, let subject):
            bytes.appendLengthPrefixed("user")
            bytes.appendLengthPrefixed(issuer)
            bytes.appendLengthPrefixed(subject)
        case .system:
            bytes.appendLengthPrefixed("system")
            bytes.appendLengthPrefixed("")
            bytes.appendLengthPrefixed("")
        }
        return bytes
    }
}

extension [UInt8] {
    /// Appends the number of UTF-8 bytes as eight bytes, then the bytes.
    package mutating func appendLengthPrefixed(_ text: String) {
        appendBigEndian(UInt64(text.utf8.count))
        append(contentsOf: text.utf8)
    }
}
