import Foundation

/// What makes a write happen once, however often it is sent: 1 to 255 visible ASCII characters.
///
/// The service keeps a key for as long as the transaction that it made, and gives the first answer
/// again to whoever sends the same request with it. Keys belong to the credential's principal.
public struct IdempotencyKey: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The characters.
    public let rawValue: String

    /// A key with a meaning of your own, such as an order's number; `nil` unless it is 1 to 255
    /// visible ASCII characters.
    public init?(rawValue: String) {
        guard (1...255).contains(rawValue.utf8.count),
            rawValue.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        self.rawValue = rawValue
    }

    /// A fresh key, a UUIDv7 (RFC 9562 §5.7).
    public init() {
        let milliseconds = UInt64(max(0, Date().timeIntervalSince1970 * 1_000)) & 0xFFFF_FFFF_FFFF
        let high = milliseconds << 16 | 0x7000 | UInt64.random(in: 0...0xFFF)
        let low = 0x8000_0000_0000_0000 | UInt64.random(in: 0...0x3FFF_FFFF_FFFF_FFFF)
        let digits = Self.hex(high) + Self.hex(low)
        var text = ""
        for (offset, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(offset) { text.append("-") }
            text.append(digit)
        }
        rawValue = text
    }

    /// The characters.
    public var description: String { rawValue }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
