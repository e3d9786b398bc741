public import Foundation

/// An instant as the ledger counts it: whole microseconds, which `Date` cannot hold exactly.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z.
    public var microsecondsSinceEpoch: Int64

    /// An instant by its microseconds.
    public init(microsecondsSinceEpoch: Int64) {
        self.microsecondsSinceEpoch = microsecondsSinceEpoch
    }

    /// The instant nearest to a date of the years 1 to 9999.
    public init(_ date: Date) {
        let seconds = min(max(date.timeIntervalSince1970, -62_135_596_800), 253_402_300_799)
        self.init(microsecondsSinceEpoch: Int64((seconds * 1_000_000).rounded()))
    }

    /// The instant as a date, to the nearest fraction of a microsecond that it can hold.
    public var date: Date {
        Date(timeIntervalSince1970: Double(microsecondsSinceEpoch) / 1_000_000)
    }

    /// Which of two instants is earlier.
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microsecondsSinceEpoch < right.microsecondsSinceEpoch
    }
}

extension Timestamp: CustomStringConvertible {
    /// Reads an RFC 3339 time, `2026-01-15T10:30:00.000001Z` or with another offset; `nil` for
    /// anything else, and for more than six decimals.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[10] | 0x20 == UInt8(ascii: "t"),
            bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let year = bytes.number(0..<4), let month = bytes.number(5..<7),
            let day = bytes.number(8..<10), let hour = bytes.number(11..<13),
            let minute = bytes.number(14..<16), let second = bytes.number(17..<19),
            year >= 1, (1...12).contains(month), day >= 1, hour < 24, minute < 60, second < 60
        else { return nil }
        var end = 19
        var fraction: Int64 = 0
        if bytes[end] == UInt8(ascii: ".") {
            let decimals = bytes[(end + 1)...].prefix { (0x30...0x39).contains($0) }
            guard (1...6).contains(decimals.count), let number = bytes.number(decimals.indices)
            else { return nil }
            fraction = number
            for _ in decimals.count..<6 { fraction *= 10 }
            end = decimals.endIndex
        }
        guard let offset = bytes.offsetSeconds(from: end) else { return nil }
        let days = CivilDay(year: year, month: month, day: day).daysSinceEpoch
        // A day that the month does not have comes back as another one.
        guard CivilDay(daysSinceEpoch: days) == CivilDay(year: year, month: month, day: day)
        else { return nil }
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset
        self.init(microsecondsSinceEpoch: seconds * 1_000_000 + fraction)
    }

    /// RFC 3339 in UTC with six decimals.
    public var description: String {
        let seconds = microsecondsSinceEpoch.floored(by: 1_000_000)
        let days = seconds.quotient.floored(by: 86_400)
        let day = CivilDay(daysSinceEpoch: days.quotient)
        let clock = days.remainder
        return "\(padded(day.year, 4))-\(padded(day.month, 2))-\(padded(day.day, 2))T"
            + "\(padded(clock / 3_600, 2)):\(padded(clock / 60 % 60, 2)):\(padded(clock % 60, 2))."
            + "\(padded(seconds.remainder, 6))Z"
    }

    private func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension Timestamp: Codable {
    /// Reads an RFC 3339 string.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let instant = Timestamp(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "This is not an RFC 3339 time.")
        }
        self = instant
    }

    /// Writes an RFC 3339 string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A day of the Gregorian calendar; the conversions are Howard Hinnant's
/// (howardhinnant.github.io/date_algorithms.html).
private struct CivilDay: Equatable {
    var year: Int64
    var month: Int64
    var day: Int64

    init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    init(daysSinceEpoch: Int64) {
        let (era, dayOfEra) = (daysSinceEpoch + 719_468).floored(by: 146_097)
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    var daysSinceEpoch: Int64 {
        let (era, yearOfEra) = (month <= 2 ? year - 1 : year).floored(by: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
            - 719_468
    }
}

extension Int64 {
    /// Quotient rounded down and remainder not negative, for a divisor above 0.
    fileprivate func floored(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let remainder = self % divisor
        return remainder < 0
            ? (self / divisor - 1, remainder + divisor) : (self / divisor, remainder)
    }
}

extension [UInt8] {
    /// The number that the digits in a range spell.
    fileprivate func number(_ range: Range<Int>) -> Int64? {
        var number: Int64 = 0
        for byte in self[range] {
            guard (0x30...0x39).contains(byte) else { return nil }
            number = number * 10 + Int64(byte - 0x30)
        }
        return number
    }

    /// The offset from UTC that stands from an index to the end.
    fileprivate func offsetSeconds(from start: Int) -> Int64? {
        let text = self[start...]
        if text.count == 1, text[start] | 0x20 == UInt8(ascii: "z") { return 0 }
        guard text.count == 6, text[start + 3] == UInt8(ascii: ":"),
            let hours = number(start + 1..<start + 3), let minutes = number(start + 4..<start + 6),
            hours < 24, minutes < 60
        else { return nil }
        switch text[start] {
        case UInt8(ascii: "+"): return hours * 3_600 + minutes * 60
        case UInt8(ascii: "-"): return -(hours * 3_600 + minutes * 60)
        default: return nil
        }
    }
}
