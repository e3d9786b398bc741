/// A 128-bit identifier of one kind of thing, a UUIDv7 (RFC 9562 §5.7).
///
/// Identifiers made here carry the log position of the event that made the thing in their
/// "random" bits, which RFC 9562 §6.2 allows for a counter: 48 bits of Unix milliseconds, then
/// 48 bits of position, then 26 random bits. So they sort in the order of the log, two things of
/// one timeline can never share one, and the event of a transaction is found without an index.
package struct Identifier<Kind>: Hashable, Comparable, Sendable {
    /// The first eight bytes, big-endian.
    package let high: UInt64
    /// The last eight bytes, big-endian.
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Makes the identifier of what the event at `position` creates.
    ///
    /// - Parameters:
    ///   - recordedAt: the event's time; its milliseconds become the timestamp.
    ///   - position: the event's position, 1 … 2^48 − 1.
    ///   - entropy: random bits, of which the low 26 are used.
    package init(recordedAt: Instant, position: Int64, entropy: UInt64) {
        let milliseconds = UInt64(truncatingIfNeeded: recordedAt.milliseconds) & 0xFFFF_FFFF_FFFF
        let counter = UInt64(truncatingIfNeeded: position) & 0xFFFF_FFFF_FFFF
        high = milliseconds << 16 | 0x7000 | counter >> 36
        low = 0x8000_0000_0000_0000 | (counter & 0xF_FFFF_FFFF) << 26 | entropy & 0x3FF_FFFF
    }

    /// The position that an identifier made by this ledger carries; means nothing in any other.
    package var embeddedPosition: Int64 {
        Int64((high & 0xFFF) << 36 | (low & 0x3FFF_FFFF_FFFF_FFFF) >> 26)
    }

    package static func < (left: Identifier, right: Identifier) -> Bool {
        left.high == right.high ? left.low < right.low : left.high < right.high
    }
}

package enum WalletKind {}
package enum TransactionKind {}
package enum HoldKind {}
package enum LedgerKind {}

package typealias WalletID = Identifier<WalletKind>
package typealias TransactionID = Identifier<TransactionKind>
package typealias HoldID = Identifier<HoldKind>
package typealias LedgerID = Identifier<LedgerKind>

// MARK: - Bytes

extension Identifier {
    /// The 16 bytes of the identifier, in the order in which they sort.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16)
        bytes.appendBigEndian(high)
        bytes.appendBigEndian(low)
        return bytes
    }

    /// Reads 16 bytes; any other count is refused.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.init(high: bytes.bigEndian(at: 0), low: bytes.bigEndian(at: 8))
    }
}

// MARK: - Text

extension Identifier: CustomStringConvertible {
    /// Appends the canonical form, 36 lower-case characters.
    package func append(to bytes: inout [UInt8]) {
        bytes.appendHex(high >> 32, digits: 8)
        bytes.append(UInt8(ascii: "-"))
        bytes.appendHex(high >> 16 & 0xFFFF, digits: 4)
        bytes.append(UInt8(ascii: "-"))
        bytes.appendHex(high & 0xFFFF, digits: 4)
        bytes.append(UInt8(ascii: "-"))
        bytes.appendHex(low >> 48, digits: 4)
        bytes.append(UInt8(ascii: "-"))
        bytes.appendHex(low & 0xFFFF_FFFF_FFFF, digits: 12)
    }

    /// The canonical form, 36 lower-case characters.
    package var description: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(36)
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads the canonical form: 36 characters, lower case, hyphens in their places.
    package init?(_ text: some Collection<UInt8>) {
        guard text.count == 36 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        var offset = 0
        for byte in text {
            defer { offset += 1 }
            if offset == 8 || offset == 13 || offset == 18 || offset == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let nibble = Hex.nibble(byte) else { return nil }
            if offset < 18 { high = high << 4 | nibble } else { low = low << 4 | nibble }
        }
        self.init(high: high, low: low)
    }

    /// Reads the canonical form from a string.
    package init?(_ text: some StringProtocol) {
        self.init(Array(text.utf8))
    }
}

/// Lower-case hexadecimal.
package enum Hex {
    /// The value of one lower-case hexadecimal digit.
    package static func nibble(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        default: nil
        }
    }
}

extension [UInt8] {
    /// Appends the low `digits` hexadecimal digits of a number.
    package mutating func appendHex(_ value: UInt64, digits: Int) {
        var shift = (digits - 1) * 4
        while shift >= 0 {
            let nibble = UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 0xF
            append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble)
            shift -= 4
        }
    }

    /// Appends eight bytes, most significant first.
    package mutating func appendBigEndian(_ value: UInt64) {
        var shift: UInt64 = 64
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// Reads eight bytes, most significant first, at an offset that must be within bounds.
    package func bigEndian(at offset: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in offset..<offset + 8 { value = value << 8 | UInt64(self[index]) }
        return value
    }
}
