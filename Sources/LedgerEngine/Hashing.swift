package import WalletCore

import struct Crypto.SHA256

extension Digest {
    /// SHA-256 of the parts, one after the other.
    package static func sha256(_ parts: [UInt8]...) -> Digest {
        var hasher = SHA256()
        for part in parts { hasher.update(data: part) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        bytes.append(contentsOf: hasher.finalize())
        return Digest(bytes: bytes) ?? .zero
    }

    /// The chain: an event's hash is SHA-256 of the hash before it and the event's bytes.
    package static func chain(after previous: Digest, _ eventBytes: [UInt8]) -> Digest {
        sha256(previous.bytes, eventBytes)
    }

    /// What the first event's hash follows, so that two ledgers' chains never meet.
    package static func genesis(of ledger: LedgerID) -> Digest {
        sha256(Array("wallet-ledger-v1".utf8), ledger.bytes)
    }

    /// The key of an idempotency key: of the caller's scope and the key, each with its length.
    package static func idempotencyKey(_ key: String, of actor: Actor) -> Digest {
        var bytes = actor.scope
        bytes.appendLengthPrefixed(key)
        return sha256(bytes)
    }

    /// The fingerprint of a request under a key; see ``IdempotencyStamp/fingerprint``.
    package static func fingerprint(
        _ instruction: Instruction, key: String, of actor: Actor
    ) -> Digest {
        var bytes = actor.scope
        bytes.appendLengthPrefixed(key)
        return sha256(bytes, instruction.canonicalBytes)
    }
}

/// Free text with the salt that makes its commitment impossible to guess.
package struct SaltedText: Hashable, Sendable {
    /// 16 random bytes.
    package var salt: [UInt8]
    package var text: FreeText

    package init(salt: [UInt8], text: FreeText) {
        self.salt = salt
        self.text = text
    }

    /// SHA-256 of the salt and the text's canonical bytes; what the event holds.
    package var commitment: Digest { .sha256(salt, text.canonicalBytes) }
}
