/// An ISO 4217 currency that the registry knows, as its three letters packed into a number.
package struct Currency: Hashable, Comparable, Sendable {
    /// The letters as `A << 16 | B << 8 | C`.
    package let packed: UInt32

    /// A currency by its code; `nil` unless it is three upper-case letters that the registry has.
    package init?(_ code: some StringProtocol) {
        let letters = Array(code.utf8)
        guard letters.count == 3 else { return nil }
        let packed = UInt32(letters[0]) << 16 | UInt32(letters[1]) << 8 | UInt32(letters[2])
        guard CurrencyRegistry.exponent(packed: packed) != nil else { return nil }
        self.packed = packed
    }

    /// How many decimals the major unit has: 0 for JPY, 2 for USD, 3 for KWD.
    package var exponent: UInt8 { CurrencyRegistry.exponent(packed: packed) ?? 0 }

    /// The three letters.
    package var code: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the three letters.
    package func append(to bytes: inout [UInt8]) {
        bytes.append(UInt8(truncatingIfNeeded: packed >> 16))
        bytes.append(UInt8(truncatingIfNeeded: packed >> 8))
        bytes.append(UInt8(truncatingIfNeeded: packed))
    }

    package static func < (left: Currency, right: Currency) -> Bool { left.packed < right.packed }
}

/// What a command may move: a whole number of minor units, 1 … 2^53 − 1.
package struct Amount: Hashable, Comparable, Sendable {
    /// 2^53 − 1, the largest integer that every JSON reader keeps exact (RFC 8259 §6). It caps a
    /// movement and a wallet's total alike.
    package static let maximum: Int64 = 9_007_199_254_740_991

    /// Minor units.
    package let minorUnits: Int64

    /// An amount; `nil` outside 1 … 2^53 − 1.
    package init?(_ minorUnits: Int64) {
        guard (1...Amount.maximum).contains(minorUnits) else { return nil }
        self.minorUnits = minorUnits
    }

    package static func < (left: Amount, right: Amount) -> Bool {
        left.minorUnits < right.minorUnits
    }
}
