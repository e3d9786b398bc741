import AsyncHTTPClient
package import Foundation
import NIOCore
import NIOHTTP1

/// Sends calls and repeats those that may be repeated, always as they were.
package struct Transport: Sendable {
    /// The largest answer that is read into memory, in bytes: a page of 200 full entries is 1.5 MB.
    package static let largestAnswer = 64 << 20
    /// The largest problem document that is read, in bytes; that of a batch holds 1,000 others.
    static let largestProblem = 8 << 20

    let configuration: WalletClient.Configuration
    package var timing: Timing
    private let base: String
    private let token: String?
    private let http: HTTPClient
    private let memory = ConsistencyMemory()

    init(
        url: String, token: String?, configuration: WalletClient.Configuration, http: HTTPClient,
        timing: Timing
    ) throws(WalletError) {
        guard let parts = URLComponents(string: url), ["http", "https"].contains(parts.scheme),
            parts.host?.isEmpty == false, parts.user == nil, parts.password == nil,
            parts.query == nil, parts.fragment == nil
        else {
            throw .invalid("The URL must be http:// or https://, a host, and at most a path.")
        }
        if let token {
            guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw .invalid("The token must be visible ASCII characters.")
            }
        }
        guard configuration.attempts >= 1 else { throw .invalid("`attempts` must be 1 or more.") }
        base = url.hasSuffix("/") ? String(url.dropLast()) : url
        self.token = token
        self.configuration = configuration
        self.http = http
        self.timing = timing
    }

    /// Sends a call until it has an answer that can be read, and reads it.
    func send<Value: Decodable & Sendable>(
        _ call: Call, reading type: Value.Type
    ) async throws(WalletError) -> (answer: Answer, value: Value) {
        try await repeating(call) { attempt async throws(WalletError) in
            let answer = try await exchange(call, attempt: attempt)
            return (answer, try JSON.decode(type, answer.body))
        }
    }

    /// Sends a call whose answer's body does not matter.
    func send(_ call: Call) async throws(WalletError) -> Answer {
        try await repeating(call) { attempt async throws(WalletError) in
            try await exchange(call, attempt: attempt)
        }
    }

    /// Sends a call until there is a good answer, whose body is still to come.
    func open(_ call: Call) async throws(WalletError) -> HTTPClientResponse {
        try await repeating(call) { _ async throws(WalletError) in
            try await within(configuration.attemptTimeout) { try await head(call) }
        }
    }

    /// Makes attempts until one succeeds, fails for good, or they are used up.
    private func repeating<Result>(
        _ call: Call, _ attempt: (Int) async throws(WalletError) -> Result
    ) async throws(WalletError) -> Result {
        let allowed = call.isRepeatable ? configuration.attempts : 1
        var number = 1
        var mayHaveHappened = false
        while true {
            do {
                return try await attempt(number)
            } catch {
                var error = error
                if mayHaveHappened, error.isBeforeTheKey { error.kind = .unavailable }
                mayHaveHappened = mayHaveHappened || (call.key != nil && error.leavesItOpen)
                error.attempts = number
                error.idempotencyKey = call.key
                guard error.isRetryable, error.kind != .cancelled, number < allowed,
                    let pause = timing.pause(after: number, asked: error.retryAfter, configuration)
                else { throw error }
                do {
                    try await timing.sleep(pause)
                } catch {
                    throw call.cancelled(after: number)
                }
                number += 1
            }
        }
    }

    /// One attempt: the request, and all of its answer.
    private func exchange(_ call: Call, attempt: Int) async throws(WalletError) -> Answer {
        let response: HTTPClientResponse
        let body: ByteBuffer
        if call.isLong {
            // As long as it takes, provided that it does not stall: the connection's read time-out.
            response = try await within(configuration.attemptTimeout) { try await head(call) }
            do {
                body = try await response.body.collect(upTo: Transport.largestAnswer)
            } catch {
                throw WalletError(sending: error)
            }
        } else {
            (response, body) = try await within(configuration.attemptTimeout) {
                let response = try await head(call)
                return (response, try await response.body.collect(upTo: Transport.largestAnswer))
            }
        }
        // A cancelled task's body may end early without an error.
        guard !Task.isCancelled else { throw .cancelled }
        return Answer(
            body: Data(body.readableBytesView), attempts: attempt,
            isReplay: response.headers.first(name: "Idempotency-Replayed") == "true")
    }

    /// The head of a good answer; any other becomes an error.
    @Sendable private func head(_ call: Call) async throws -> HTTPClientResponse {
        let sentToken = call.method == .get && configuration.readsOwnWrites ? memory.token : nil
        var request = HTTPClientRequest(url: base + call.path + call.query)
        request.method = call.method == .get ? .GET : .POST
        request.headers = call.headers(token: token, consistencyToken: sentToken)
        if let body = call.body { request.body = .bytes(ByteBuffer(bytes: body)) }
        let response = try await http.execute(
            request, timeout: .nanoseconds(configuration.attemptTimeout.inNanoseconds))
        if let token = response.headers.first(name: "Consistency-Token") {
            memory.remember(token)
        }
        let status = Int(response.status.code)
        guard !(200..<300).contains(status) else { return response }
        guard status >= 400 else {
            throw WalletError(
                .transport, .unreadableAnswer,
                "The answer was \(status): the URL is not that of a wallet service.",
                status: status)
        }
        let body = try await response.body.collect(upTo: Transport.largestProblem)
        var error = WalletError(
            status: status,
            problem: try? JSON.decode(JSONValue.self, Data(body.readableBytesView)))
        error.isReplay = response.headers.first(name: "Idempotency-Replayed") == "true"
        error.retryAfter = response.headers.first(name: "Retry-After").flatMap(Int64.init)
            .map { .seconds(min(max($0, 0), 86_400)) }
        if error.code == .tokenUnknown, let sentToken { memory.forget(sentToken) }
        throw error
    }

    /// What the work gives, unless it takes too long.
    private func within<Result: Sendable>(
        _ limit: Duration, _ work: @escaping @Sendable () async throws -> Result
    ) async throws(WalletError) -> Result {
        do {
            return try await withThrowingTaskGroup(of: Result?.self) { group in
                defer { group.cancelAll() }
                group.addTask { try await work() }
                group.addTask {
                    try await Task.sleep(for: limit)
                    return nil
                }
                guard let first = try await group.next(), let result = first else {
                    throw WalletError.late
                }
                return result
            }
        } catch {
            throw Task.isCancelled ? .cancelled : WalletError(sending: error)
        }
    }
}

/// A call, sent the same way in each attempt.
struct Call: Sendable {
    /// A look, or a write.
    enum Method: Sendable { case get, post }

    var method: Method
    /// Percent-encoded, beginning with `/`.
    var path: String
    /// Empty, or percent-encoded and beginning with `?`.
    var query: String
    var body: Data?
    var key: IdempotencyKey?
    var ifVersion: Int64?
    var accept = "application/json"
    var lastEventID: String?
    var isRepeatable = true
    /// Whether the answer may take longer than one attempt is allowed.
    var isLong = false

    init(_ method: Method, path: String, query: KeyValuePairs<String, String?> = [:]) {
        self.method = method
        self.path = path
        self.query = Call.encode(query)
    }

    /// The pairs that have a value, as a query.
    static func encode(_ query: KeyValuePairs<String, String?>) -> String {
        let pairs = query.compactMap { name, value in value.map { "\(name)=\(segment($0))" } }
        return pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&")
    }

    func headers(token: String?, consistencyToken: String?) -> HTTPHeaders {
        var headers: HTTPHeaders = ["Accept": accept, "User-Agent": "wallet-client-swift/1"]
        if let token { headers.add(name: "Authorization", value: "Bearer \(token)") }
        if body != nil { headers.add(name: "Content-Type", value: "application/json") }
        if let key { headers.add(name: "Idempotency-Key", value: key.rawValue) }
        if let ifVersion { headers.add(name: "If-Match", value: "\"v\(ifVersion)\"") }
        if let lastEventID { headers.add(name: "Last-Event-ID", value: lastEventID) }
        if let consistencyToken {
            headers.add(name: "Consistency-Token", value: consistencyToken)
        }
        return headers
    }

    func cancelled(after attempts: Int) -> WalletError {
        var error = WalletError.cancelled
        error.idempotencyKey = key
        error.attempts = attempts
        return error
    }
}

/// A good answer, whole.
struct Answer: Sendable {
    var body: Data
    var attempts: Int
    var isReplay: Bool
}

/// A text as one segment of a path, or one value of a query.
func segment(_ text: String) -> String {
    let unreserved = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
    var encoded = ""
    for byte in text.utf8 {
        if unreserved.contains(byte) {
            encoded.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            encoded += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }
    }
    return encoded
}

/// JSON as Foundation reads and writes it.
package enum JSON {
    package static func encode(_ value: some Encodable) throws(WalletError) -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return try encoder.encode(value)
        } catch {
            throw .invalid("The request cannot be written as JSON.")
        }
    }

    package static func decode<Value: Decodable>(
        _ type: Value.Type, _ data: Data
    ) throws(WalletError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch {
            throw .unreadable("The answer is cut short, or not what the contract says.")
        }
    }
}

extension WalletError {
    /// Why no answer came.
    init(sending error: any Error) {
        switch error {
        case let error as WalletError: self = error
        case is CancellationError: self = .cancelled
        case is NIOTooManyBytesError:
            self = .unreadable("The answer is larger than is read into memory.")
            isRetryable = false
        case let error as HTTPClientError where error.isTimeout: self = .late
        case let error as HTTPClientError where error == .cancelled: self = .cancelled
        default:
            self.init(
                .transport, .connectionFailed,
                "The service could not be reached, or the connection was lost: "
                    + String(String.UnicodeScalarView("\(error)".unicodeScalars.prefix(300))),
                isRetryable: true)
        }
    }

    static var late: WalletError {
        WalletError(
            .transport, .timedOut, "No answer within the time allowed.", isRetryable: true)
    }
}

extension HTTPClientError {
    fileprivate var isTimeout: Bool {
        [
            .readTimeout, .writeTimeout, .connectTimeout, .tlsHandshakeTimeout, .deadlineExceeded,
            .getConnectionFromPoolTimeout,
        ].contains(self)
    }
}

extension Duration {
    var inNanoseconds: Int64 {
        let (nanoseconds, overflow) = components.seconds.multipliedReportingOverflow(
            by: 1_000_000_000)
        return overflow ? .max : nanoseconds + components.attoseconds / 1_000_000_000
    }
}
