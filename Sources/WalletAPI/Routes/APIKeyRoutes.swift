import HTTPTypes
import LedgerEngine
import WalletCore

/// The calls that make, list and revoke API keys, which lie beside the log.
struct APIKeyRoutes: Sendable {
    let store: any LedgerStore
    /// Random bits of secrets.
    let entropy: @Sendable () -> UInt64

    var routes: [Route] {
        [
            Route(.post, "/v1/api-keys", scope: .admin, create),
            Route(.get, "/v1/api-keys", scope: .admin, list),
            Route(.post, "/v1/api-keys/{id}/revoke", scope: .admin, revoke),
        ]
    }

    fileprivate struct Wish: Hashable, Sendable {
        var principal: String
        var scopes: Scopes
    }

    /// What a write came to. The secret is there only once, in the answer that made it.
    private struct Written: Sendable {
        var key: APIKey
        var secret: String?
        var token: ConsistencyToken
    }

    /// Makes a key. Its identifier follows from the caller and the Idempotency-Key, so that the
    /// same request finds the key that it made; the secret is kept nowhere and cannot be shown
    /// again.
    @Sendable private func create(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow()
        var body = try ObjectReader(request.body)
        let wish = try body.wish()
        try body.finish()
        let id = APIKey.identifier(
            for: .idempotencyKey(try request.idempotencyKey(), of: try request.knownCaller().actor))
        let secret = APIKey.makeSecret(entropy: entropy)
        let written = try await write { transaction in
            let token = ConsistencyToken(try transaction.head())
            if let earlier = try transaction.apiKey(id: id) {
                guard case .success(let wish) = wish, earlier.scopes == wish.scopes,
                    earlier.principal.isByteEqual(to: wish.principal)
                else { throw Problem(Refusal(.idempotencyKeyReused)) }
                return Written(key: earlier, secret: nil, token: token)
            }
            let wish = try wish.mapError { Problem($0) }.get()
            let key = APIKey(
                id: id, hash: .sha256(Array(secret.utf8)), principal: wish.principal,
                scopes: wish.scopes, createdAt: try transaction.now(), revokedAt: nil)
            try transaction.insert(key)
            return Written(key: key, secret: secret, token: token)
        }
        var response = APIResponse(201) { $0.apiKey(written.key, secret: .some(written.secret)) }
        if written.secret == nil { response.headers[.idempotencyReplayed] = "true" }
        return response.reflecting(written.token)
    }

    @Sendable private func list(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow("limit", "cursor")
        let page = try PageRequest(request.query, filters: "api-keys")
        var place: APIKeyPlace?
        if let after = page.after {
            guard let last = APIKeyPlace(bytes: after) else {
                throw Problem.malformed("`cursor` cannot be read.")
            }
            place = last
        }
        let (keys, token) = try await store.read { [place] snapshot in
            (
                try snapshot.apiKeys(after: place, limit: page.limit + 1),
                ConsistencyToken(try snapshot.head())
            )
        }
        let shown = keys.prefix(page.limit)
        let hasMore = keys.count > page.limit
        let next = hasMore ? shown.last.map { page.cursor(after: $0.place.bytes) } : nil
        return APIResponse(200) { json in
            json.page(Array(shown), next: next) { $0.apiKey($1, secret: nil) }
        }.reflecting(token)
    }

    /// Ends a key for good. What is revoked stays so: the state is its own memory, and the same
    /// request answers the same, whatever its Idempotency-Key.
    @Sendable private func revoke(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow()
        if !request.body.isEmpty { try ObjectReader(request.body).finish() }
        _ = try request.idempotencyKey()
        let id = request.parameters[0]
        let written = try await write { transaction in
            _ = try transaction.revokeAPIKey(id: id, at: try transaction.now())
            let token = ConsistencyToken(try transaction.head())
            guard let key = try transaction.apiKey(id: id) else {
                var problem = Problem(.notFound, "There is no such API key.")
                problem.token = token
                throw problem
            }
            return Written(key: key, secret: nil, token: token)
        }
        return APIResponse(200) { $0.apiKey(written.key, secret: nil) }
            .reflecting(written.token)
    }

    private func write(
        _ body: @escaping @Sendable (any LedgerTransaction) throws -> Written
    ) async throws -> Written {
        do {
            return try await store.write(body)
        } catch is StoreError {
            throw Problem(SubmissionError.unavailable)
        }
    }
}

extension ObjectReader {
    fileprivate mutating func wish() throws(Problem) -> Result<APIKeyRoutes.Wish, Refusal> {
        let principal = try requiredString("principal")
        let names = try requiredStrings("scopes")
        guard APIKey.isPrincipal(principal) else {
            return .failure(
                .invalid("principal", allowed: "1 to 128 characters, no space or control"))
        }
        guard let scopes = Scopes(names: names), scopes.names.count == names.count else {
            return .failure(.invalid("scopes", allowed: "any of read, write, admin, each once"))
        }
        return .success(APIKeyRoutes.Wish(principal: principal, scopes: scopes))
    }
}

extension APIKey {
    /// 128 bits of the idempotency key's hash, hashed again.
    fileprivate static func identifier(for idempotencyKey: Digest) -> String {
        let hash = Digest.sha256(Array("api-key".utf8), idempotencyKey.bytes)
        var id = Array("key_".utf8)
        id.appendHex(hash.word0, digits: 16)
        id.appendHex(hash.word1, digits: 16)
        return String(decoding: id, as: UTF8.self)
    }
}

extension APIKeyPlace {
    fileprivate var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(UInt64(bitPattern: createdAt.microseconds))
        return bytes + id.utf8
    }

    fileprivate init?(bytes: [UInt8]) {
        guard bytes.count > 8, let id = String(validating: bytes.dropFirst(8), as: UTF8.self)
        else { return nil }
        self.init(
            createdAt: Instant(microseconds: Int64(bitPattern: bytes.bigEndian(at: 0))), id: id)
    }
}

extension CanonicalJSON {
    /// - Parameter secret: `nil` leaves the member out; a secret that is not known any more is
    ///   shown as `null`.
    fileprivate mutating func apiKey(_ key: APIKey, secret: String??) {
        beginObject()
        member("id", key.id)
        member("principal", key.principal)
        self.key("scopes")
        beginArray()
        for name in key.scopes.names { string(name) }
        endArray()
        member("createdAt", key.createdAt)
        if let revokedAt = key.revokedAt {
            member("revokedAt", revokedAt)
        } else {
            nullMember("revokedAt")
        }
        if let secret {
            if let secret { member("secret", secret) } else { nullMember("secret") }
        }
        endObject()
    }
}
