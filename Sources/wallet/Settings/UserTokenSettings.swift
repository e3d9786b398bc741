import Foundation
import LedgerEngine
import Logging
import WalletAPI

/// Whose tokens users may show, and where the issuer's keys are.
struct UserTokenSettings {
    /// Where the issuer's set of keys (JWKS) is read from.
    fileprivate enum Source {
        case url(String)
        case file(String)
    }

    let issuer: String
    let audience: String
    private let source: Source
    private var limits = KeyRing.Limits()

    /// Reads `jwtIssuer`, `jwtAudience` and `jwtJwksUrl`: all three or none.
    init?(_ settings: Settings) throws {
        let issuer = settings.text("jwtIssuer")
        let audience = settings.text("jwtAudience")
        let url = settings.text("jwtJwksUrl")
        if issuer == nil, audience == nil, url == nil { return nil }
        guard let issuer, let audience, let url else {
            throw CommandFailure(
                "jwtIssuer, jwtAudience and jwtJwksUrl belong together: give all three or none.")
        }
        guard (1...1_024).contains(issuer.utf8.count), (1...1_024).contains(audience.utf8.count)
        else {
            throw CommandFailure("jwtIssuer and jwtAudience must have 1 to 1024 bytes each.")
        }
        self.issuer = issuer
        self.audience = audience
        source = try Source(url)
        let seconds: Int64 = try settings.integer("jwtRefreshSeconds", default: 300, in: 1...86_400)
        limits.interval = .seconds(seconds)
    }

    /// The issuer's keys, which are fetched while the ring runs.
    ///
    /// - Parameter body: runs with the ring; what it needs for fetching is there until it ends.
    func withKeyRing(
        logger: Logger, _ body: (KeyRing) async throws -> Void
    ) async throws {
        let report: @Sendable (any Error) -> Void = { error in
            logger.warning(
                "the keys for users' tokens cannot be fetched", metadata: ["error": "\(error)"])
        }
        switch source {
        case .file(let path):
            try await body(KeyRing(limits: limits, fetch: { try Self.read(path) }, report: report))
        case .url(let url):
            try await KeyDownload.open(url) { download in
                try await body(
                    KeyRing(limits: limits, fetch: { try await download() }, report: report))
            }
        }
    }

    private enum Fault: Error {
        case unreadable
        case tooLarge
    }

    private static func read(_ path: String) throws -> [UInt8] {
        guard let file = FileHandle(forReadingAtPath: path) else { throw Fault.unreadable }
        defer { try? file.close() }
        let bytes = try file.read(upToCount: KeyDownload.maximumBytes + 1) ?? Data()
        guard bytes.count <= KeyDownload.maximumBytes else { throw Fault.tooLarge }
        return Array(bytes)
    }
}

extension UserTokenSettings.Source {
    /// Reads `https://…`, `http://…` to this machine, or `file:PATH`.
    fileprivate init(_ text: String) throws {
        if text.hasPrefix("file:"), text.utf8.count > 5 {
            self = .file(String(text.dropFirst(5)))
            return
        }
        let parts = URLComponents(string: text)
        let isLocal = ["localhost", "127.0.0.1", "[::1]", "::1"].contains(parts?.host ?? "")
        guard let parts, parts.host?.isEmpty == false, parts.user == nil, parts.password == nil,
            parts.scheme == "https" || parts.scheme == "http" && isLocal
        else {
            throw CommandFailure(
                "jwtJwksUrl must be https://…, http://… to this machine, or file:PATH.")
        }
        self = .url(text)
    }
}
