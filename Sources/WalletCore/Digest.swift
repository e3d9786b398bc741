/// The 32 bytes of a SHA-256 value.
package struct Digest: Hashable, Sendable {
    package let word0: UInt64
    package let word1: UInt64
    package let word2: UInt64
    package let word3: UInt64

    /// Reads 32 bytes; any other count is refused.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        word0 = bytes.bigEndian(at: 0)
        word1 = bytes.bigEndian(at: 8)
        word2 = bytes.bigEndian(at: 16)
        word3 = bytes.bigEndian(at: 24)
    }

    package init(_ word0: UInt64, _ word1: UInt64, _ word2: UInt64, _ word3: UInt64) {
        self.word0 = word0
        self.word1 = word1
        self.word2 = word2
        self.word3 = word3
    }

    /// 32 zero bytes, where there is no value yet.
    package static let zero = Digest(0, 0, 0, 0)

    /// Appends the 32 bytes.
    package func appendBytes(to bytes: inout [UInt8]) {
        bytes.appendBigEndian(word0)
        bytes.appendBigEndian(word1)
        bytes.appendBigEndian(word2)
        bytes.appendBigEndian(word3)
    }

    /// The 32 bytes.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        appendBytes(to: &bytes)
        return bytes
    }
}

extension Digest: CustomStringConvertible {
    /// Appends 64 lower-case hexadecimal digits.
    package func append(to bytes: inout [UInt8]) {
        bytes.appendHex(word0, digits: 16)
        bytes.appendHex(word1, digits: 16)
        bytes.appendHex(word2, digits: 16)
        bytes.appendHex(word3, digits: 16)
    }

    /// 64 lower-case hexadecimal digits.
    package var description: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64)
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads 64 lower-case hexadecimal digits.
    package init?(hex: some Collection<UInt8>) {
        guard hex.count == 64 else { return nil }
        var words: [UInt64] = [0, 0, 0, 0]
        for (offset, byte) in hex.enumerated() {
            guard let nibble = Hex.nibble(byte) else { return nil }
            words[offset / 16] = words[offset / 16] << 4 | nibble
        }
        self.init(words[0], words[1], words[2], words[3])
    }
}
