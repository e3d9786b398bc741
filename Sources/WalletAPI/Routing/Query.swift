/// A request's query parameters, each at most once.
struct Query: Sendable {
    private var values: [(name: String, value: String)] = []

    /// Reads `a=1&b=2`, percent-decoded; `+` stands for itself (RFC 3986), as in `+02:00`.
    init(_ text: Substring?) throws(Problem) {
        guard let text, !text.isEmpty else { return }
        for pair in text.split(separator: "&", omittingEmptySubsequences: true) {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = percentDecoded(parts[0]),
                let value = percentDecoded(parts.count > 1 ? parts[1] : "")
            else { throw .malformed("The query is not percent-encoded UTF-8.") }
            guard !values.contains(where: { $0.name == name }) else {
                throw .malformed("The query has `\(name.first(64))` twice.")
            }
            guard values.count < 16 else { throw .malformed("The query has too many parameters.") }
            values.append((name, value))
        }
    }

    subscript(name: String) -> String? { values.first { $0.name == name }?.value }

    /// Refuses parameters that the route does not know, which would otherwise be ignored in
    /// silence: a misspelt filter must not answer with everything.
    func allow(_ names: String...) throws(Problem) {
        guard let unknown = values.first(where: { !names.contains($0.name) }) else { return }
        throw .malformed("`\(unknown.name.first(64))` is not a parameter of this request.")
    }
}

/// Decodes `%41` to `A`; `nil` where an escape or the UTF-8 is not valid.
func percentDecoded(_ text: Substring) -> String? {
    guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
    var bytes: [UInt8] = []
    var iterator = text.utf8.makeIterator()
    while let byte = iterator.next() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard let high = iterator.next(), let low = iterator.next(),
            let highValue = Character(Unicode.Scalar(high)).hexDigitValue,
            let lowValue = Character(Unicode.Scalar(low)).hexDigitValue
        else { return nil }
        bytes.append(UInt8(highValue << 4 | lowValue))
    }
    return String(validating: bytes, as: UTF8.self)
}
