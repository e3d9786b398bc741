import Foundation
import WalletClient

/// Shows results on standard output and failures on standard error, for people or as JSON.
struct Printer {
    /// Whoever read the output has gone.
    struct NobodyReads: Error {}

    var isJSON: Bool

    /// Shows a value as one line of JSON, or else what people see of it.
    func show(_ value: some Encodable, _ text: () -> String) throws {
        guard isJSON else { return try write(text()) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try write(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// Shows a line that only people need.
    func note(_ text: @autoclosure () -> String) throws {
        if !isJSON { try write(text()) }
    }

    private func write(_ text: String) throws {
        try Printer.write(Data((text + "\n").utf8))
    }

    /// Writes bytes as they are, at once.
    static func write(_ bytes: Data) throws {
        do {
            try FileHandle.standardOutput.write(contentsOf: bytes)
        } catch {
            throw NobodyReads()
        }
    }

    /// Says why there is no result, and how to go on.
    func failure(_ error: WalletError) {
        guard isJSON else { return StandardError.write(Printer.sentences(error)) }
        var members: [String: JSONValue] = [
            "code": .string(error.code.rawValue), "detail": .string(error.detail),
            "retryable": .bool(error.isRetryable),
            "members": .object(error.members),
        ]
        members["status"] = error.status.map { .integer(Int64($0)) }
        members["requestId"] = error.requestID.map { .string($0) }
        members["idempotencyKey"] = error.idempotencyKey.map { .string($0.rawValue) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let json = (try? encoder.encode(["error": JSONValue.object(members)])) ?? Data()
        StandardError.write(String(decoding: json, as: UTF8.self) + "\n")
    }

    /// The members of problems that are amounts; their currency is not always among them.
    private static let moneyMembers: Set = [
        "allowed", "available", "held", "maximum", "minimum", "requested", "reversedAmount",
        "total",
    ]

    private static func sentences(_ error: WalletError) -> String {
        var text = "\(error.code): \(error.detail.printable)\n"
        for (name, value) in error.members.sorted(by: { $0.key < $1.key }) {
            let unit = moneyMembers.contains(name) ? " minor units" : ""
            if let integer = value.integer { text += "  \(name.printable)  \(integer)\(unit)\n" }
            if let string = value.string { text += "  \(name.printable)  \(string.printable)\n" }
        }
        if let requestID = error.requestID { text += "  request  \(requestID.printable)\n" }
        guard let key = error.idempotencyKey else { return text }
        switch error.kind {
        case .unavailable, .transport, .cancelled:
            return text + "It may or may not have happened. To have it happen once, send it again "
                + "with\n  --idempotency-key \(key)\n"
        case .refused, .invalidRequest: return text
        }
    }
}

extension String {
    /// The text without what could move a terminal's cursor or pretend to be another line: other
    /// people wrote it.
    var printable: String {
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: text.append("\u{FFFD}")
            default: text.append(scalar)
            }
        }
        return String(text)
    }

    /// Padded with spaces on the right, or on the left.
    func column(_ width: Int, isRight: Bool = false) -> String {
        let padding = String(repeating: " ", count: Swift.max(0, width - count))
        return isRight ? padding + self : self + padding
    }
}

/// Names and values in two columns; rows without a value are left out.
struct Fields {
    private var rows: [(name: String, value: String)] = []

    mutating func add(_ name: String, _ value: String?) {
        if let value { rows.append((name, value.printable)) }
    }

    var text: String {
        let width = rows.map(\.name.count).max() ?? 0
        return rows.map { "\($0.name.column(width))  \($0.value)" }.joined(separator: "\n")
    }
}
