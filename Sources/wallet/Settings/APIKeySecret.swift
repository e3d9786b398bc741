import LedgerEngine
import WalletCore

extension APIKey {
    /// A new key and its secret, which is shown once and kept only as a hash.
    static func make(
        principal: String, scopes: Scopes, idPrefix: String = "key_"
    ) -> (key: APIKey, secret: String) {
        let secret = makeSecret(entropy: SystemEntropy.next)
        let key = APIKey(
            secret: secret, principal: principal, scopes: scopes, idPrefix: idPrefix)
        return (key, secret)
    }

    /// A key for a secret that somebody else has chosen.
    init(secret: String, principal: String, scopes: Scopes, idPrefix: String = "key_") {
        var id = Array(idPrefix.utf8)
        id.appendHex(SystemEntropy.next(), digits: 16)
        self.init(
            id: String(decoding: id, as: UTF8.self), hash: .sha256(Array(secret.utf8)),
            principal: principal, scopes: scopes, createdAt: SystemClock.now(), revokedAt: nil)
    }
}
