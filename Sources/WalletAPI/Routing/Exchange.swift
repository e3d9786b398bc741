import HTTPTypes
import LedgerEngine
import WalletCore

/// Who is asking, and what they may do.
struct Caller: Hashable, Sendable {
    var actor: Actor
    var scopes: Scopes
}

/// A request that has found its route and whose caller is known.
struct APIRequest: Sendable {
    var headers: HTTPFields
    /// The values of the route's `{…}` segments, percent-decoded, in order.
    var parameters: [String]
    var query: Query
    var body: [UInt8]
    /// Absent only on routes that are open.
    var caller: Caller?
    var requestID: String

    /// The identifier in a segment.
    func identifier<Kind>(_ index: Int) throws(Problem) -> Identifier<Kind> {
        guard let id = Identifier<Kind>(parameters[index]) else {
            throw .malformed("The identifier in the path must be a UUID in canonical lower case.")
        }
        return id
    }

    /// The caller of a route that is not open.
    func knownCaller() throws(Problem) -> Caller {
        guard let caller else { throw Problem(.unauthenticated, "A bearer token is needed.") }
        return caller
    }

    /// The place in the log that the caller wants to be past.
    func consistencyToken() throws(Problem) -> ConsistencyToken? {
        guard let text = headers[.consistencyToken] else { return nil }
        guard let bytes = Base64URL.decode(text), let token = ConsistencyToken(bytes: bytes) else {
            throw .malformed("The Consistency-Token is not one that this service gave out.")
        }
        return token
    }
}

/// An answer before it becomes HTTP.
struct APIResponse: Sendable {
    var status: Int
    var headers: HTTPFields = [:]
    var body: APIBody

    init(_ status: Int, _ write: (inout CanonicalJSON) -> Void) {
        self.status = status
        var json = CanonicalJSON(capacity: 768)
        write(&json)
        body = .bytes(json.bytes)
    }

    init(_ status: Int, contentType: String, stream: BodyStream) {
        self.status = status
        body = .stream(stream)
        headers[.contentType] = contentType
    }

    /// The same, telling which place of the log it reflects.
    func reflecting(_ token: ConsistencyToken) -> APIResponse {
        var response = self
        response.headers[.consistencyToken] = Base64URL.encode(token.bytes)
        return response
    }
}

extension HTTPField.Name {
    static let idempotencyKey = named("Idempotency-Key")
    static let idempotencyReplayed = named("Idempotency-Replayed")
    static let accelBuffering = named("X-Accel-Buffering")
    static let consistencyToken = named("Consistency-Token")
    static let lastEventID = named("Last-Event-ID")
    static let requestID = named("X-Request-Id")

    private static func named(_ name: String) -> HTTPField.Name {
        guard let field = HTTPField.Name(name) else {
            preconditionFailure("\(name) is not a header's name")
        }
        return field
    }
}

/// URL-safe base 64 without padding (RFC 4648 §5).
package enum Base64URL {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 4 + 2) / 3)
        var buffer: UInt32 = 0
        var bits: UInt32 = 0
        for byte in bytes {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[Int(buffer >> bits & 0x3F)])
            }
        }
        if bits > 0 { text.append(alphabet[Int(buffer << (6 - bits) & 0x3F)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Decodes what ``encode(_:)`` makes, and only that: stray bits at the end are refused, so
    /// that no two texts mean the same bytes.
    package static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var buffer: UInt32 = 0
        var bits: UInt32 = 0
        for character in text.utf8 {
            guard let value = value(of: character) else { return nil }
            buffer = (buffer << 6 | value) & 0xFFFF
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: buffer >> bits))
            }
        }
        guard bits < 6, buffer & (1 << bits - 1) == 0 else { return nil }
        return bytes
    }

    private static func value(of character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
