package import WalletCore

/// Writes comma-separated values as RFC 4180 has them: lines end with CRLF, text stands in quotes
/// and its quotes are doubled.
///
/// Spreadsheets run what begins like a formula. Text that somebody else chose gets an apostrophe
/// before it if it begins with one of `= + - @`, their full-width twins, a tab or a line break;
/// control characters other than tab and line breaks become U+FFFD. Numbers are ours, and stand
/// as they are.
package struct CSV: Sendable {
    private var bytes: [UInt8] = []
    private var isAtStartOfLine = true

    package init() {}

    /// Takes what has been written so far.
    package mutating func drain() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    /// A field that somebody else chose.
    package mutating func text(_ text: String?) {
        separate()
        guard let text else { return }
        bytes.append(UInt8(ascii: "\""))
        if let first = text.unicodeScalars.first, CSV.opensFormula(first) {
            bytes.append(UInt8(ascii: "'"))
        }
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": bytes.append(contentsOf: "\"\"".utf8)
            case "\t", "\n", "\r": bytes.append(UInt8(truncatingIfNeeded: scalar.value))
            case _ where scalar.properties.generalCategory == .control:
                bytes.append(contentsOf: "\u{FFFD}".utf8)
            default: bytes.append(contentsOf: UTF8.encode(scalar) ?? .init())
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// A field of ours that needs no quotes: a name, a time, an identifier.
    package mutating func plain(_ value: String) {
        separate()
        bytes.append(contentsOf: value.utf8)
    }

    package mutating func integer(_ value: Int64) {
        separate()
        bytes.appendDecimal(value)
    }

    package mutating func identifier<Kind>(_ value: Identifier<Kind>?) {
        separate()
        value?.append(to: &bytes)
    }

    package mutating func instant(_ value: Instant) {
        separate()
        value.appendRFC3339(to: &bytes)
    }

    /// Fields without a value.
    package mutating func empty(_ count: Int = 1) {
        for _ in 0..<count { separate() }
    }

    package mutating func endLine() {
        bytes.append(contentsOf: "\r\n".utf8)
        isAtStartOfLine = true
    }

    private mutating func separate() {
        if !isAtStartOfLine { bytes.append(UInt8(ascii: ",")) }
        isAtStartOfLine = false
    }

    private static func opensFormula(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "=", "+", "-", "@", "\t", "\n", "\r": true
        case "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}": true
        default: false
        }
    }
}
