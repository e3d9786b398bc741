import WalletCore

import struct Crypto.SHA256

/// SHA-256 of bytes that come piece by piece.
struct RunningDigest {
    private var hasher = SHA256()

    mutating func update(_ bytes: [UInt8]) { hasher.update(data: bytes) }

    /// The digest of all that has come so far.
    var digest: Digest {
        var bytes: [UInt8] = []
        bytes.append(contentsOf: hasher.finalize())
        return Digest(bytes: bytes) ?? .zero
    }
}
