package import WalletCore

import enum Crypto.Curve25519

/// Where a ledger's log was at a time, published outside the database.
///
/// The chain proves a log against itself. Whoever can write to the database can cut the log off or
/// write all of it anew; but not what has been published of it.
package struct Anchor: Hashable, Sendable {
    /// The version of the lines that ``line`` writes.
    private static let version: Int64 = 1

    package var ledger: LedgerID
    package var epoch: Int64
    package var position: Int64
    /// The hash of the event at the position.
    package var hash: Digest
    /// When the anchor was made.
    package var at: Instant
    package var signature: Signature?

    /// An Ed25519 signature (RFC 8032) of ``Anchor/signedBytes(by:)``.
    package struct Signature: Hashable, Sendable {
        /// 32 bytes.
        package var publicKey: [UInt8]
        /// 64 bytes.
        package var bytes: [UInt8]
    }

    package init(_ head: Head, at instant: Instant) {
        ledger = head.ledger
        epoch = head.epoch
        position = head.position
        hash = head.hash
        at = instant
    }

    /// How a fault calls it.
    package var title: String { "the anchor of position \(position), made at \(at.rfc3339)," }

    /// One line of canonical JSON.
    package var line: [UInt8] {
        guard let signature else { return members().bytes + [UInt8(ascii: "}")] }
        var json = members(publicKey: signature.publicKey)
        json.member("signature", signature.bytes.hex)
        return json.bytes + [UInt8(ascii: "}")]
    }

    /// What a signature is over: the line as it is without the signature.
    private func signedBytes(by publicKey: [UInt8]) -> [UInt8] {
        members(publicKey: publicKey).bytes + [UInt8(ascii: "}")]
    }

    private func members(publicKey: [UInt8]? = nil) -> CanonicalJSON {
        var json = CanonicalJSON(capacity: 512)
        json.beginObject()
        json.member("anchor", Anchor.version)
        json.member("ledger", ledger)
        json.member("epoch", epoch)
        json.member("position", position)
        json.member("hash", hash)
        json.member("at", at.microseconds)
        if let publicKey { json.member("key", publicKey.hex) }
        return json
    }

    /// Reads what ``line`` wrote, and no other spelling of it.
    package init?(line: [UInt8]) {
        var reader = CanonicalReader(line)
        guard let anchor = try? Anchor(reading: &reader), anchor.line == line else { return nil }
        self = anchor
    }

    private init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        try reader.expect("{\"anchor\":1,\"ledger\":")
        ledger = try reader.identifier()
        try reader.expect(",\"epoch\":")
        epoch = try reader.integer()
        try reader.expect(",\"position\":")
        position = try reader.integer()
        try reader.expect(",\"hash\":")
        hash = try reader.digest()
        try reader.expect(",\"at\":")
        at = try reader.instant()
        if reader.skip(",\"key\":") {
            guard let publicKey = [UInt8](hex: try reader.string()), publicKey.count == 32
            else { throw reader.malformed }
            try reader.expect(",\"signature\":")
            guard let bytes = [UInt8](hex: try reader.string()), bytes.count == 64
            else { throw reader.malformed }
            signature = Signature(publicKey: publicKey, bytes: bytes)
        }
        try reader.expect("}")
        try reader.expectEnd()
        guard position >= 0 else { throw reader.malformed }
    }
}

extension Anchor {
    /// The anchor with the key's signature.
    package func signed(by key: AnchorKey) throws -> Anchor {
        var anchor = self
        let bytes = try key.sign(signedBytes(by: key.publicKey))
        anchor.signature = Signature(publicKey: key.publicKey, bytes: bytes)
        return anchor
    }

    /// Whether the signature holds, and is of this key if one is given; without a key, an anchor
    /// that is not signed holds too.
    package func isAuthentic(by publicKey: [UInt8]?) -> Bool {
        guard let signature else { return publicKey == nil }
        guard publicKey == nil || publicKey == signature.publicKey,
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: signature.publicKey)
        else { return false }
        return key.isValidSignature(
            signature.bytes, for: signedBytes(by: signature.publicKey))
    }
}

/// The private key that signs anchors.
package struct AnchorKey: Sendable {
    private let key: Curve25519.Signing.PrivateKey

    /// A new key.
    package init() {
        key = Curve25519.Signing.PrivateKey()
    }

    /// Reads 32 bytes in hexadecimal, as ``hex`` wrote them.
    package init?(hex: String) {
        guard let bytes = [UInt8](hex: hex),
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes)
        else { return nil }
        self.key = key
    }

    /// The secret.
    package var hex: String { Array(key.rawRepresentation).hex }
    /// What verifies the signatures; 32 bytes.
    package var publicKey: [UInt8] { Array(key.publicKey.rawRepresentation) }

    fileprivate func sign(_ bytes: [UInt8]) throws -> [UInt8] {
        Array(try key.signature(for: bytes))
    }
}
