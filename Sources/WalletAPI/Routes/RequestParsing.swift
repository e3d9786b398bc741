import HTTPTypes
import LedgerEngine
import WalletCore

/// What a body asks for: a command, or why it cannot be one although it is well-formed.
///
/// Malformed bodies are refused at once (400). Values out of range are refused only after the
/// idempotency key has been looked up, so they travel on as a refusal.
typealias ParsedRequest = Result<Instruction, Refusal>

extension Refusal {
    static func invalid(_ field: String, allowed: String) -> Refusal {
        Refusal(
            .validationFailed, [.init("field", .text(field)), .init("allowed", .text(allowed))])
    }
}

/// The limits of what callers may say, in characters (Unicode scalars) unless it says bytes.
enum TextLimits {
    static let userID = 1...128
    static let reference = 1...128
    static let description = 0...1_000
    static let metadataPairs = 20
    /// Of all names and values together, in UTF-8 bytes.
    static let metadataBytes = 4_096
    static let idempotencyKey = 1...255
}

/// The options that all movements share.
struct MovementOptions {
    private var amountMinorUnits: Int64
    private var currencyCode: String?
    private var referenceText: String?
    private var text: FreeText

    init(_ body: inout ObjectReader) throws(Problem) {
        amountMinorUnits = try body.requiredInteger("amount")
        currencyCode = try body.string("currency")
        referenceText = try body.string("reference")
        text = FreeText(
            description: try body.string("description"),
            metadata: try body.stringPairs("metadata") ?? [:])
    }

    func instruction(
        ifMatch: Int64?, _ command: (Amount, Currency?, String?) -> Command
    ) -> ParsedRequest {
        guard let amount = Amount(amountMinorUnits) else { return .failure(.amountOutOfRange) }
        var currency: Currency?
        if let currencyCode {
            guard let known = Currency(currencyCode) else {
                return .failure(.unknownCurrency(currencyCode))
            }
            currency = known
        }
        if let referenceText, !referenceText.isIdentifier(TextLimits.reference) {
            return .failure(
                .invalid("reference", allowed: "1 to 128 characters, none of them a control"))
        }
        if let refusal = text.refusal { return .failure(refusal) }
        return .success(
            Instruction(command(amount, currency, referenceText), text: text, ifMatch: ifMatch))
    }
}

extension FreeText {
    /// Why the text is not allowed, if it is not.
    var refusal: Refusal? {
        if let description,
            !TextLimits.description.contains(description.unicodeScalars.count)
        {
            return .invalid("description", allowed: "at most 1000 characters")
        }
        let bytes = metadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard metadata.count <= TextLimits.metadataPairs, bytes <= TextLimits.metadataBytes else {
            return .invalid("metadata", allowed: "at most 20 pairs and 4096 bytes")
        }
        return nil
    }
}

extension Refusal {
    static let amountOutOfRange = Refusal(
        .amountOutOfRange,
        [
            .init("field", .text("amount")), .init("minimum", .integer(1)),
            .init("maximum", .integer(Amount.maximum)),
        ])

    static func unknownCurrency(_ code: String) -> Refusal {
        Refusal(.currencyUnknown, [.init("currency", .text(code.first(16)))])
    }
}

extension StringProtocol {
    /// Its first Unicode scalars, for an answer that shows what it does not know: one `Character`
    /// can be a megabyte of combining marks.
    func first(_ count: Int) -> String {
        String(String.UnicodeScalarView(unicodeScalars.prefix(count)))
    }
}

extension String {
    /// Whether it has that many characters and no control character among them.
    func isIdentifier(_ count: ClosedRange<Int>) -> Bool {
        count.contains(unicodeScalars.count)
            && unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }

    /// Whether it can be an idempotency key: visible ASCII characters, not too many.
    var isIdempotencyKey: Bool {
        TextLimits.idempotencyKey.contains(utf8.count)
            && utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}

extension APIRequest {
    /// The idempotency key, which every write must have.
    func idempotencyKey() throws(Problem) -> String {
        guard let key = headers[.idempotencyKey] else {
            throw Problem(.idempotencyKeyRequired, "Every write needs an Idempotency-Key header.")
        }
        guard key.isIdempotencyKey else {
            throw .malformed("The Idempotency-Key must be 1 to 255 visible ASCII characters.")
        }
        return key
    }

    /// The version in `If-Match: "v7"`.
    func ifMatch() throws(Problem) -> Int64? {
        guard let text = headers[.ifMatch] else { return nil }
        let digits = text.dropFirst(2).dropLast()
        guard text.hasPrefix("\"v"), text.hasSuffix("\""), text.utf8.count <= 24,
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let version = Int64(digits)
        else { throw .malformed("If-Match must be a wallet's ETag, such as \"v7\".") }
        return version
    }

    /// The position in a query parameter.
    func position(_ name: String) throws(Problem) -> Int64? {
        guard let text = query[name] else { return nil }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int64(text)
        else { throw .malformed("`\(name)` must be a position, 0 or greater.") }
        return number
    }

    /// The instant in a query parameter.
    func instant(_ name: String) throws(Problem) -> Instant? {
        guard let text = query[name] else { return nil }
        return try Instant(text, of: name)
    }
}

extension Instant {
    /// The instant that a parameter or member says.
    init(_ text: String, of name: String) throws(Problem) {
        guard let instant = Instant(rfc3339: text.utf8) else {
            throw .malformed(
                "`\(name)` must be an RFC 3339 time with an offset and at most six decimals.")
        }
        self = instant
    }
}
