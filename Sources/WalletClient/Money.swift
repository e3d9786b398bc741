/// An exact amount: a whole number of minor units of one currency.
///
/// 10.50 USD is `Money(minorUnits: 1050, currency: "USD")`. A movement takes 1 … 2^53 − 1 minor
/// units; the service refuses any other amount.
public struct Money: Hashable, Sendable {
    /// Cents, pence, fils … Yen for a currency without a minor unit.
    public var minorUnits: Int64
    /// ISO 4217, upper case.
    public var currency: String

    /// An amount in minor units.
    public init(minorUnits: Int64, currency: String) {
        self.minorUnits = minorUnits
        self.currency = currency
    }
}

extension Money {
    /// Why a text is not an amount.
    public enum FormatError: Error, Hashable, Sendable {
        /// It is not digits with at most one decimal point between them.
        case malformed
        /// It has more decimals than the currency, and is refused rather than rounded.
        case tooManyDecimals(allowed: UInt8)
        /// It does not fit into `Int64` minor units.
        case outOfRange
    }

    /// Reads an amount of major units, `10.50`, exactly: no rounding, no floating point.
    ///
    /// Digits, then optionally a point and at least one decimal; a minus sign may stand first.
    /// Neither signs of grouping nor exponents are understood.
    ///
    /// - Parameters:
    ///   - text: the amount.
    ///   - currency: ISO 4217.
    ///   - exponent: how many decimals the currency's major unit has: 0 for JPY, 2 for USD, 3 for
    ///     KWD. It is the caller's to know: a library's table would be out of date one day, and
    ///     then wrong by a factor of ten.
    public init(
        majorUnits text: some StringProtocol, currency: String, exponent: UInt8
    ) throws(FormatError) {
        let isNegative = text.utf8.first == UInt8(ascii: "-")
        let parts = text.utf8.dropFirst(isNegative ? 1 : 0)
            .split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count),
            parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy({ (0x30...0x39).contains($0) }) })
        else { throw .malformed }
        let decimals = parts.count == 2 ? parts[1].count : 0
        guard decimals <= Int(exponent) else { throw .tooManyDecimals(allowed: exponent) }
        let padding = repeatElement(UInt8(ascii: "0"), count: Int(exponent) - decimals)
        var minorUnits: Int64 = 0
        for digit in Array(parts.joined()) + Array(padding) {
            // Downwards, so that the least Int64 can be read as well.
            let (tenfold, overflow) = minorUnits.multipliedReportingOverflow(by: 10)
            let (sum, overflowed) = tenfold.subtractingReportingOverflow(Int64(digit - 0x30))
            guard !overflow, !overflowed else { throw .outOfRange }
            minorUnits = sum
        }
        if !isNegative {
            guard minorUnits > .min else { throw .outOfRange }
            minorUnits = -minorUnits
        }
        self.init(minorUnits: minorUnits, currency: currency)
    }

    /// The amount in major units, `10.50`, with all decimals that the currency has.
    ///
    /// - Parameter exponent: how many decimals the currency's major unit has.
    public func majorUnits(exponent: UInt8) -> String {
        let digits = String(minorUnits.magnitude)
        let padded =
            String(repeating: "0", count: max(0, Int(exponent) + 1 - digits.count)) + digits
        let sign = minorUnits < 0 ? "-" : ""
        guard exponent > 0 else { return sign + padded }
        return sign + padded.dropLast(Int(exponent)) + "." + padded.suffix(Int(exponent))
    }
}
