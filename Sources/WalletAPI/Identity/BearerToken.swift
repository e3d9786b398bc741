import HTTPTypes
import LedgerEngine
import WalletCore

/// What a request bears in its `Authorization` header.
package struct BearerToken: Hashable, Sendable {
    /// Bytes of the header; longer ones are not looked at.
    static let maximumLength = 8_192

    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    init(_ headers: HTTPFields) throws(Problem) {
        guard let header = headers[.authorization] else {
            throw Problem(
                .unauthenticated, "An Authorization header with a bearer token is needed.")
        }
        guard header.prefix(7).lowercased() == "bearer ",
            header.utf8.count <= BearerToken.maximumLength
        else {
            throw Problem(.unauthenticated, "The Authorization header must be `Bearer <token>`.")
        }
        text = String(header.dropFirst(7))
    }

    /// What the token is remembered by; the token itself is not kept.
    var hash: Digest { .sha256(Array(text.utf8)) }

    /// Whether it has the form of a user's token: an object in base 64, and two dots.
    package var isUserToken: Bool {
        text.utf8.first == UInt8(ascii: "e")
            && text.utf8.count { $0 == UInt8(ascii: ".") } == 2
    }
}
