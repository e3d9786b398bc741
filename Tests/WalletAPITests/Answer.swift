import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization
import Testing
import WalletAPI

/// What came back, read as strictly as what was sent.
struct Answer: Sendable {
    var status: Int
    var headers: HTTPFields
    var body: [UInt8]
    var json: JSONValue

    init(_ response: Response) async throws {
        let collector = Collector()
        let kind = response.headers[.contentType]?.prefix { $0 != ";" } ?? ""
        // A stream of events has no end, and needs a socket.
        if kind != "text/event-stream" { try await response.body.write(collector) }
        status = response.status.code
        headers = response.headers
        body = collector.bytes
        // The answer to HEAD has a kind and no body.
        json = kind.hasSuffix("json") && !body.isEmpty ? try JSONParser.parse(body) : .null
    }

    func header(_ name: String) -> String? {
        HTTPField.Name(name).flatMap { headers[$0] }
    }

    /// The problem's stable name.
    var code: String? { json["code"]?.text }

    /// A member that must be text.
    func text(_ name: String) throws -> String {
        try #require(json[name]?.text, "\(String(decoding: body, as: UTF8.self))")
    }

    /// The sentence of a problem.
    var detail: String { json["detail"]?.text ?? "" }
}

extension JSONValue {
    subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// The names of the members, in their order.
    var names: [String] {
        guard case .object(let members) = self else { return [] }
        return members.map(\.name)
    }

    var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    var number: Int64? {
        guard case .integer(let number) = self else { return nil }
        return number
    }

    var elements: [JSONValue] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }
}

/// Keeps what a response writes.
private final class Collector: ResponseBodyWriter, Sendable {
    private let storage = Mutex<[UInt8]>([])

    var bytes: [UInt8] { storage.withLock { $0 } }

    func write(_ buffer: ByteBuffer) async throws {
        storage.withLock { $0.append(contentsOf: buffer.readableBytesView) }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
