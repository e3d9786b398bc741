import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Fetches an issuer's set of keys over HTTP.
package struct KeyDownload: Sendable {
    /// Bytes of a set at most.
    package static let maximumBytes = 262_144
    /// How long a fetch may take, from the look-up of the name to the last byte.
    static let timeout = TimeAmount.seconds(5)

    /// Why there are no keys.
    enum Fault: Error, Hashable {
        case status(UInt)
    }

    private let client: HTTPClient
    private let url: String

    /// Runs the body with a download whose connections end when the body does.
    ///
    /// It follows no redirection, since it asks only whom it was told to ask.
    package static func open(
        _ url: String, _ body: (KeyDownload) async throws -> Void
    ) async throws {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: timeout, read: timeout))
        configuration.httpVersion = .http1Only
        let client = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            try await body(KeyDownload(client: client, url: url))
        } catch {
            // What went wrong in the body says more than what goes wrong in closing.
            try? await client.shutdown()
            throw error
        }
        try await client.shutdown()
    }

    package func callAsFunction() async throws -> [UInt8] {
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "Accept", value: "application/jwk-set+json, application/json")
        let response = try await client.execute(
            request, deadline: .now() + KeyDownload.timeout)
        guard response.status == .ok else { throw Fault.status(response.status.code) }
        let body = try await response.body.collect(upTo: KeyDownload.maximumBytes)
        return Array(body.readableBytesView)
    }
}
