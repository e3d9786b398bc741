/// Reads what ``CanonicalJSON`` writes, and nothing else.
///
/// A cursor, not a parser: the reader knows which member comes next, and anything else at that
/// place is a fault in the log.
package struct CanonicalReader {
    /// Where the bytes are not what the ledger writes.
    package struct Malformed: Error, Hashable {
        /// Offset of the byte that was not expected.
        package var offset: Int
    }

    private let bytes: [UInt8]
    private var offset = 0

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package var malformed: Malformed { Malformed(offset: offset) }

    /// Moves over the literal if it is next.
    package mutating func skip(_ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard offset + count <= bytes.count else { return false }
        // Safe: a static string's buffer lives as long as the program and has this many bytes.
        let expected = unsafe UnsafeBufferPointer(start: literal.utf8Start, count: count)
        guard unsafe bytes[offset..<offset + count].elementsEqual(expected) else { return false }
        offset += count
        return true
    }

    package mutating func expect(_ literal: StaticString) throws(Malformed) {
        guard skip(literal) else { throw malformed }
    }

    /// What is left but for the literal at the end, and moves there.
    package mutating func rest(before literal: StaticString) throws(Malformed) -> [UInt8] {
        let end = bytes.count - literal.utf8CodeUnitCount
        guard end >= offset else { throw malformed }
        let rest = Array(bytes[offset..<end])
        offset = end
        try expect(literal)
        return rest
    }

    package mutating func expectEnd() throws(Malformed) {
        guard offset == bytes.count else { throw malformed }
    }

    /// A decimal integer without leading zeros.
    package mutating func integer() throws(Malformed) -> Int64 {
        let start = offset
        let isNegative = skip("-")
        let firstDigit = offset
        var value: Int64 = 0
        while offset < bytes.count, (0x30...0x39).contains(bytes[offset]) {
            let digit = Int64(bytes[offset] - 0x30)
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (next, carry) = product.addingReportingOverflow(isNegative ? -digit : digit)
            guard !overflow, !carry else { throw malformed }
            value = next
            offset += 1
        }
        let digits = offset - firstDigit
        guard digits > 0, digits == 1 || bytes[firstDigit] != 0x30, !(isNegative && value == 0)
        else { throw Malformed(offset: start) }
        return value
    }

    package mutating func boolean() throws(Malformed) -> Bool {
        if skip("true") { return true }
        try expect("false")
        return false
    }

    /// A quoted string with the escapes that the writer uses.
    package mutating func string() throws(Malformed) -> String {
        try expect("\"")
        var text: [UInt8] = []
        while true {
            guard offset < bytes.count else { throw malformed }
            let byte = bytes[offset]
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                guard let string = String(validating: text, as: UTF8.self) else { throw malformed }
                return string
            case UInt8(ascii: "\\"):
                offset += 1
                text.append(try escaped())
            case 0..<0x20:
                throw malformed
            default:
                text.append(byte)
                offset += 1
            }
        }
    }

    private mutating func escaped() throws(Malformed) -> UInt8 {
        if skip("\"") { return UInt8(ascii: "\"") }
        if skip("\\") { return UInt8(ascii: "\\") }
        try expect("u00")
        guard offset + 2 <= bytes.count, let high = Hex.nibble(bytes[offset]), high < 2,
            let low = Hex.nibble(bytes[offset + 1])
        else { throw malformed }
        offset += 2
        return UInt8(high << 4 | low)
    }

    package mutating func identifier<Kind>() throws(Malformed) -> Identifier<Kind> {
        guard let value = Identifier<Kind>(try string()) else { throw malformed }
        return value
    }

    package mutating func digest() throws(Malformed) -> Digest {
        guard let value = Digest(hex: Array(try string().utf8)) else { throw malformed }
        return value
    }

    package mutating func currency() throws(Malformed) -> Currency {
        guard let value = Currency(try string()) else { throw malformed }
        return value
    }

    package mutating func amount() throws(Malformed) -> Amount {
        guard let value = Amount(try integer()) else { throw malformed }
        return value
    }

    package mutating func instant() throws(Malformed) -> Instant {
        Instant(microseconds: try integer())
    }
}
