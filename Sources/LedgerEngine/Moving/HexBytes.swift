import WalletCore

extension [UInt8] {
    /// The bytes as lower-case hexadecimal digits.
    package var hex: String {
        var digits: [UInt8] = []
        digits.reserveCapacity(2 * count)
        for byte in self { digits.appendHex(UInt64(byte), digits: 2) }
        return String(decoding: digits, as: UTF8.self)
    }

    /// Reads lower-case hexadecimal digits, two for each byte.
    package init?(hex: String) {
        let digits = Array(hex.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        self = []
        for offset in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Hex.nibble(digits[offset]), let low = Hex.nibble(digits[offset + 1])
            else { return nil }
            append(UInt8(high << 4 | low))
        }
    }
}
