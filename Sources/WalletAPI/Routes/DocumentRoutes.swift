import CDocuments
import HTTPTypes
import LedgerEngine
import WalletCore

/// The contract as it is written and as a page. Both are part of the program, so that what an
/// instance serves is what it does, and neither asks another host for anything.
struct DocumentRoutes: Sendable {
    /// Allows the page its own style sheet, by its hash, and nothing else: no script, no request.
    private static let policy: String = {
        let hash = Digest.sha256(EmbeddedFile.referenceStyle.bytes)
        return """
            default-src 'none'; style-src 'sha256-\(Base64.encode(hash.bytes))'; base-uri 'none'; \
            form-action 'none'; frame-ancestors 'none'
            """
    }()

    var routes: [Route] {
        [
            Route(.get, "/openapi.yaml", scope: nil) { request in
                try request.query.allow()
                return document(.contract, "application/yaml")
            },
            Route(.get, "/docs", scope: nil) { request in
                try request.query.allow()
                var response = document(.reference, "text/html; charset=utf-8")
                response.headers[.contentSecurityPolicy] = Self.policy
                return response
            },
        ]
    }

    private func document(_ file: EmbeddedFile, _ type: String) -> APIResponse {
        var response = APIResponse(200) { $0.raw(file.bytes) }
        response.headers[.contentType] = type
        response.headers[.xContentTypeOptions] = "nosniff"
        return response
    }
}

/// A file that is part of the program.
private enum EmbeddedFile {
    case contract
    case reference
    case referenceStyle

    var bytes: [UInt8] {
        // Safe: the pointer is to a constant array of that many bytes.
        let file =
            switch self {
            case .contract: unsafe embedded_contract()
            case .reference: unsafe embedded_reference()
            case .referenceStyle: unsafe embedded_reference_style()
            }
        return unsafe Array(UnsafeBufferPointer(start: file.bytes, count: file.count))
    }
}

/// Base 64 with padding (RFC 4648 §4), as a content security policy wants it.
private enum Base64 {
    static func encode(_ bytes: [UInt8]) -> String {
        let text = Base64URL.encode(bytes).map { character -> Character in
            switch character {
            case "-": "+"
            case "_": "/"
            default: character
            }
        }
        return String(text) + String(repeating: "=", count: (3 - bytes.count % 3) % 3)
    }
}
