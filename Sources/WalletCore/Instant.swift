/// A point in time, in whole microseconds since 1970-01-01T00:00:00Z (leap seconds not counted).
package struct Instant: Hashable, Comparable, Sendable {
    /// Microseconds since the Unix epoch.
    package var microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.microseconds < right.microseconds
    }

    /// The instant `microseconds` later; saturates instead of overflowing.
    package func advanced(byMicroseconds microseconds: Int64) -> Instant {
        let (sum, overflow) = self.microseconds.addingReportingOverflow(microseconds)
        if overflow { return Instant(microseconds: microseconds < 0 ? .min : .max) }
        return Instant(microseconds: sum)
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    package var milliseconds: Int64 {
        microseconds >= 0 ? microseconds / 1_000 : (microseconds - 999) / 1_000
    }
}

// MARK: - RFC 3339

extension Instant {
    /// The earliest instant that RFC 3339 can write: 0001-01-01T00:00:00Z.
    package static let earliest = Instant(microseconds: -62_135_596_800_000_000)

    /// The latest instant that RFC 3339 can write: 9999-12-31T23:59:59.999999Z.
    package static let latest = Instant(microseconds: 253_402_300_799_999_999)

    /// Appends the instant as RFC 3339 in UTC with six decimals, `2026-01-15T10:30:00.000001Z`.
    ///
    /// Instants outside year 1…9999 are clamped to ``earliest`` and ``latest``.
    package func appendRFC3339(to bytes: inout [UInt8]) {
        let clamped = Swift.min(Swift.max(self, .earliest), .latest).microseconds
        let microsecond = clamped.modulo(1_000_000)
        let seconds = (clamped - microsecond) / 1_000_000
        let secondOfDay = seconds.modulo(86_400)
        let date = CivilDate(daysSinceEpoch: (seconds - secondOfDay) / 86_400)
        bytes.appendDigits(date.year, width: 4)
        bytes.append(UInt8(ascii: "-"))
        bytes.appendDigits(date.month, width: 2)
        bytes.append(UInt8(ascii: "-"))
        bytes.appendDigits(date.day, width: 2)
        bytes.append(UInt8(ascii: "T"))
        bytes.appendDigits(secondOfDay / 3_600, width: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.appendDigits(secondOfDay / 60 % 60, width: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.appendDigits(secondOfDay % 60, width: 2)
        bytes.append(UInt8(ascii: "."))
        bytes.appendDigits(microsecond, width: 6)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// RFC 3339 in UTC with six decimals.
    package var rfc3339: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(27)
        appendRFC3339(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads an RFC 3339 date-time with an offset and up to six decimals.
    ///
    /// More than six decimals are refused rather than rounded, and so is a leap second (`:60`),
    /// since neither names an instant that the ledger can have recorded.
    package init?(rfc3339 text: some Sequence<UInt8>) {
        var scanner = DigitScanner(bytes: Array(text))
        guard let year = scanner.digits(4), scanner.skip("-"), let month = scanner.digits(2),
            scanner.skip("-"), let day = scanner.digits(2), scanner.skip("T") || scanner.skip("t"),
            let hour = scanner.digits(2), scanner.skip(":"), let minute = scanner.digits(2),
            scanner.skip(":"), let second = scanner.digits(2),
            year >= 1, (1...12).contains(month), day >= 1,
            day <= CivilDate.daysIn(month: month, year: year),
            hour < 24, minute < 60, second < 60
        else { return nil }
        var microsecond: Int64 = 0
        if scanner.skip(".") {
            guard let fraction = scanner.fraction(atMost: 6) else { return nil }
            microsecond = fraction
        }
        guard let offset = scanner.offsetSeconds(), scanner.isAtEnd else { return nil }
        let days = CivilDate(year: year, month: month, day: day).daysSinceEpoch
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset
        let instant = Instant(microseconds: seconds * 1_000_000 + microsecond)
        guard instant >= .earliest, instant <= .latest else { return nil }
        self = instant
    }
}

/// A date of the proleptic Gregorian calendar.
///
/// The conversions are Howard Hinnant's `days_from_civil` and `civil_from_days`
/// (howardhinnant.github.io/date_algorithms.html), valid for every year used here.
private struct CivilDate {
    var year: Int64
    var month: Int64
    var day: Int64

    init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    init(daysSinceEpoch: Int64) {
        let shifted = daysSinceEpoch + 719_468
        let dayOfEra = shifted.modulo(146_097)
        let era = (shifted - dayOfEra) / 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    var daysSinceEpoch: Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let yearOfEra = shiftedYear.modulo(400)
        let era = (shiftedYear - yearOfEra) / 400
        let shiftedMonth = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * shiftedMonth + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    static func daysIn(month: Int64, year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }
}

/// Reads fixed-width numbers from bytes.
private struct DigitScanner {
    let bytes: [UInt8]
    var index = 0

    var isAtEnd: Bool { index == bytes.count }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    mutating func digit() -> Int64? {
        guard index < bytes.count, (0x30...0x39).contains(bytes[index]) else { return nil }
        defer { index += 1 }
        return Int64(bytes[index] - 0x30)
    }

    mutating func digits(_ count: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<count {
            guard let next = digit() else { return nil }
            value = value * 10 + next
        }
        return value
    }

    mutating func fraction(atMost places: Int) -> Int64? {
        var value: Int64 = 0
        var count = 0
        while let next = digit() {
            count += 1
            guard count <= places else { return nil }
            value = value * 10 + next
        }
        guard count > 0 else { return nil }
        for _ in count..<places { value *= 10 }
        return value
    }

    mutating func offsetSeconds() -> Int64? {
        if skip("Z") || skip("z") { return 0 }
        let sign: Int64
        if skip("+") {
            sign = 1
        } else if skip("-") {
            sign = -1
        } else {
            return nil
        }
        guard let hours = digits(2), skip(":"), let minutes = digits(2), hours < 24, minutes < 60
        else { return nil }
        return sign * (hours * 3_600 + minutes * 60)
    }
}

extension Int64 {
    /// The remainder with the sign of the divisor, which must be positive.
    fileprivate func modulo(_ divisor: Int64) -> Int64 {
        let remainder = self % divisor
        return remainder < 0 ? remainder + divisor : remainder
    }
}

extension [UInt8] {
    /// Appends a non-negative number, padded with zeros to `width` digits.
    fileprivate mutating func appendDigits(_ value: Int64, width: Int) {
        var divisor: Int64 = 1
        for _ in 1..<width { divisor *= 10 }
        while divisor > 0 {
            append(0x30 + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }
}
