/// Writes JSON whose bytes are fixed: no white space, members in the order written, text as raw
/// UTF-8 with only `"`, `\` and control characters escaped (RFC 8259 §7), integers in decimal.
///
/// The log's hashes are over these bytes, so nothing here may ever change what it prints.
package struct CanonicalJSON: Sendable {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init(capacity: Int = 256) {
        bytes.reserveCapacity(capacity)
    }

    /// Takes what has been written so far; what is written next goes on from there.
    package mutating func drain() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    package mutating func beginObject() { open(UInt8(ascii: "{")) }
    package mutating func endObject() { close(UInt8(ascii: "}")) }
    package mutating func beginArray() { open(UInt8(ascii: "[")) }
    package mutating func endArray() { close(UInt8(ascii: "]")) }

    /// Writes a member's name, which must need no escaping.
    package mutating func key(_ name: StaticString) {
        comma()
        bytes.append(UInt8(ascii: "\""))
        bytes.appendStatic(name)
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a member's name that a caller chose.
    package mutating func key(escaping name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes text, escaped.
    package mutating func string(_ text: String) {
        comma()
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                bytes.appendStatic("\\u00")
                bytes.appendHex(UInt64(byte), digits: 2)
            default:
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    package mutating func integer(_ value: Int64) {
        comma()
        bytes.appendDecimal(value)
        needsComma = true
    }

    package mutating func boolean(_ value: Bool) {
        comma()
        bytes.appendStatic(value ? "true" : "false")
        needsComma = true
    }

    package mutating func null() {
        comma()
        bytes.appendStatic("null")
        needsComma = true
    }

    /// Writes a value that is JSON already.
    package mutating func raw(_ json: some Sequence<UInt8>) {
        comma()
        bytes.append(contentsOf: json)
        needsComma = true
    }

    /// Writes a string from bytes that need no escaping, by appending to the output.
    package mutating func quoted(_ append: (inout [UInt8]) -> Void) {
        comma()
        bytes.append(UInt8(ascii: "\""))
        append(&bytes)
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    private mutating func comma() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func open(_ bracket: UInt8) {
        comma()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }
}

// MARK: - Members

extension CanonicalJSON {
    package mutating func member(_ name: StaticString, _ value: String) {
        key(name)
        string(value)
    }

    package mutating func member(escaping name: String, _ value: String) {
        key(escaping: name)
        string(value)
    }

    package mutating func member(_ name: StaticString, _ value: Int64) {
        key(name)
        integer(value)
    }

    package mutating func member(_ name: StaticString, _ value: Bool) {
        key(name)
        boolean(value)
    }

    package mutating func member<Kind>(_ name: StaticString, _ value: Identifier<Kind>) {
        key(name)
        quoted { value.append(to: &$0) }
    }

    package mutating func member(_ name: StaticString, _ value: Digest) {
        key(name)
        quoted { value.append(to: &$0) }
    }

    package mutating func member(_ name: StaticString, _ value: Currency) {
        key(name)
        quoted { value.append(to: &$0) }
    }

    /// Writes an instant as RFC 3339.
    package mutating func member(_ name: StaticString, _ value: Instant) {
        key(name)
        quoted { value.appendRFC3339(to: &$0) }
    }

    /// Writes a member whose value is `null`.
    package mutating func nullMember(_ name: StaticString) {
        key(name)
        null()
    }
}

extension [UInt8] {
    package mutating func appendDecimal(_ value: Int64) {
        if value < 0 { append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        let start = count
        repeat {
            append(0x30 + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }

    fileprivate mutating func appendStatic(_ text: StaticString) {
        // Safe: a static string's buffer lives as long as the program and has this many bytes.
        unsafe append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
