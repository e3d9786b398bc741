/// A JSON value as it stood in the body: numbers are judged on their bytes, never by way of a
/// float.
package enum JSONValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// An integer without fraction or exponent. One too large for 64 bits is clamped, which keeps
    /// it out of every range that is checked afterwards.
    case integer(Int64)
    /// A number with a fraction or an exponent, whatever its value.
    case fractional
    case string(String)
    case array([JSONValue])
    case object([JSONMember])

    /// What to call it in a message.
    var kind: String {
        switch self {
        case .null: "null"
        case .boolean: "a boolean"
        case .integer: "an integer"
        case .fractional: "a number with a fraction or an exponent"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// One name and value of an object, in the order of the body.
package struct JSONMember: Hashable, Sendable {
    package var name: String
    package var value: JSONValue

    package init(name: String, value: JSONValue) {
        self.name = name
        self.value = value
    }
}

/// Why a body is not JSON that the service reads.
package struct JSONFault: Error, Hashable {
    /// Offset of the byte where it was noticed.
    package var offset: Int
    package var reason: String
}

/// Reads JSON (RFC 8259) strictly: no duplicate names, no lone surrogates, no invalid UTF-8, no
/// byte-order mark, nothing after the value, and no deeper than ``maximumDepth``.
package struct JSONParser {
    /// How deep objects and arrays may stand in one another; no request needs more than four.
    package static let maximumDepth = 16
    /// Up to how many members an object's names are compared one by one.
    private static let fewMembers = 16

    private let bytes: [UInt8]
    private var offset = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package static func parse(_ bytes: [UInt8]) throws(JSONFault) -> JSONValue {
        var parser = JSONParser(bytes)
        let value = try parser.value(depth: 0)
        parser.skipWhitespace()
        guard parser.offset == bytes.count else {
            throw parser.fault("something follows the value")
        }
        return value
    }

    private func fault(_ reason: String) -> JSONFault { JSONFault(offset: offset, reason: reason) }

    private var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipWhitespace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            offset += 1
        }
    }

    private mutating func value(depth: Int) throws(JSONFault) -> JSONValue {
        guard depth <= JSONParser.maximumDepth else { throw fault("nested too deeply") }
        skipWhitespace()
        guard let byte = current else { throw fault("the body ends early") }
        switch byte {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try literal("true", .boolean(true))
        case UInt8(ascii: "f"): return try literal("false", .boolean(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: throw fault("no JSON value starts here")
        }
    }

    private mutating func literal(
        _ text: StaticString, _ value: JSONValue
    ) throws(JSONFault) -> JSONValue {
        for byte in "\(text)".utf8 {
            guard current == byte else { throw fault("no JSON value starts here") }
            offset += 1
        }
        return value
    }

    private mutating func object(depth: Int) throws(JSONFault) -> JSONValue {
        offset += 1
        var members: [JSONMember] = []
        var names: Set<String> = []
        skipWhitespace()
        if current == UInt8(ascii: "}") {
            offset += 1
            return .object(members)
        }
        while true {
            skipWhitespace()
            guard current == UInt8(ascii: "\"") else { throw fault("a member's name is expected") }
            let name = try string()
            guard isNew(name, among: members, &names) else {
                throw fault("a member stands twice")
            }
            skipWhitespace()
            guard current == UInt8(ascii: ":") else { throw fault("a colon is expected") }
            offset += 1
            members.append(JSONMember(name: name, value: try value(depth: depth + 1)))
            skipWhitespace()
            switch current {
            case UInt8(ascii: ","): offset += 1
            case UInt8(ascii: "}"):
                offset += 1
                return .object(members)
            default: throw fault("a comma or the end of the object is expected")
            }
        }
    }

    /// Whether no member has this name. Few are compared one by one, which is quickest; of many a
    /// set is kept, so that the time grows with the body and not with its square.
    private func isNew(
        _ name: String, among members: [JSONMember], _ names: inout Set<String>
    ) -> Bool {
        if members.count < JSONParser.fewMembers {
            return !members.contains { $0.name == name }
        }
        if names.isEmpty { names = Set(members.lazy.map(\.name)) }
        return names.insert(name).inserted
    }

    private mutating func array(depth: Int) throws(JSONFault) -> JSONValue {
        offset += 1
        var elements: [JSONValue] = []
        skipWhitespace()
        if current == UInt8(ascii: "]") {
            offset += 1
            return .array(elements)
        }
        while true {
            elements.append(try value(depth: depth + 1))
            skipWhitespace()
            switch current {
            case UInt8(ascii: ","): offset += 1
            case UInt8(ascii: "]"):
                offset += 1
                return .array(elements)
            default: throw fault("a comma or the end of the array is expected")
            }
        }
    }

    private mutating func number() throws(JSONFault) -> JSONValue {
        let isNegative = current == UInt8(ascii: "-")
        if isNegative { offset += 1 }
        let firstDigit = offset
        var value: Int64 = 0
        var isClamped = false
        while let byte = current, (0x30...0x39).contains(byte) {
            let digit = Int64(byte - 0x30)
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(isNegative ? -digit : digit)
            isClamped = isClamped || overflow || carry
            value = isClamped ? 0 : sum
            offset += 1
        }
        let digits = offset - firstDigit
        guard digits > 0 else { throw fault("a digit is expected") }
        guard digits == 1 || bytes[firstDigit] != 0x30 else { throw fault("a leading zero") }
        var isFractional = false
        if current == UInt8(ascii: ".") {
            offset += 1
            try skipDigits()
            isFractional = true
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            offset += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { offset += 1 }
            try skipDigits()
            isFractional = true
        }
        if isFractional { return .fractional }
        if isClamped { return .integer(isNegative ? .min : .max) }
        return .integer(value)
    }

    private mutating func skipDigits() throws(JSONFault) {
        let start = offset
        while let byte = current, (0x30...0x39).contains(byte) { offset += 1 }
        guard offset > start else { throw fault("a digit is expected") }
    }
}

// MARK: - Strings

extension JSONParser {
    private mutating func string() throws(JSONFault) -> String {
        offset += 1
        let start = offset
        // Most strings have no escapes and are taken as they stand.
        while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            guard byte >= 0x20 else { throw fault("a control character in a string") }
            offset += 1
        }
        guard let end = current else { throw fault("a string without its end") }
        var text = try validated(Array(bytes[start..<offset]))
        if end == UInt8(ascii: "\"") {
            offset += 1
            return text
        }
        while true {
            guard let byte = current else { throw fault("a string without its end") }
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                return text
            case UInt8(ascii: "\\"):
                text.unicodeScalars.append(try escape())
            case 0..<0x20:
                throw fault("a control character in a string")
            default:
                let start = offset
                while let next = current, next != UInt8(ascii: "\""), next != UInt8(ascii: "\\"),
                    next >= 0x20
                {
                    offset += 1
                }
                text += try validated(Array(bytes[start..<offset]))
            }
        }
    }

    private func validated(_ bytes: [UInt8]) throws(JSONFault) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw fault("a string is not UTF-8")
        }
        return text
    }

    private mutating func escape() throws(JSONFault) -> Unicode.Scalar {
        offset += 1
        guard let byte = current else { throw fault("a string without its end") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw fault("an unknown escape")
        }
    }

    private mutating func unicodeEscape() throws(JSONFault) -> Unicode.Scalar {
        let first = try hexadecimal()
        guard (0xD800...0xDFFF).contains(first) else {
            guard let scalar = Unicode.Scalar(first) else { throw fault("an unknown escape") }
            return scalar
        }
        guard first < 0xDC00, current == UInt8(ascii: "\\") else { throw fault("a lone surrogate") }
        offset += 1
        guard current == UInt8(ascii: "u") else { throw fault("a lone surrogate") }
        offset += 1
        let second = try hexadecimal()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw fault("a lone surrogate") }
        return scalar
    }

    private mutating func hexadecimal() throws(JSONFault) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current,
                let digit = Character(Unicode.Scalar(byte)).hexDigitValue
            else { throw fault("four hexadecimal digits are expected") }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }
}
