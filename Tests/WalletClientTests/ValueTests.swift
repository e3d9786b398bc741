import Foundation
import Testing
import WalletClient

@Suite("Money")
struct MoneyTests {
    @Test(
        "is read from major units exactly, and written the same way",
        arguments: [
            ("10.50", 2, 1_050), ("0.01", 2, 1), ("-0.01", 2, -1), ("0", 0, 0), ("5", 0, 5),
            ("1.234", 3, 1_234), ("90071992547409.91", 2, 9_007_199_254_740_991),
            ("-92233720368547758.08", 2, .min), ("92233720368547758.07", 2, .max),
        ] as [(String, UInt8, Int64)])
    func exact(text: String, exponent: UInt8, minorUnits: Int64) throws {
        let money = try Money(majorUnits: text, currency: "USD", exponent: exponent)
        #expect(money == Money(minorUnits: minorUnits, currency: "USD"))
        #expect(money.majorUnits(exponent: exponent) == text)
    }

    @Test("may leave decimals out", arguments: [("10", 1_000), ("10.5", 1_050), ("007", 700)])
    func short(text: String, minorUnits: Int64) throws {
        #expect(
            try Money(majorUnits: text, currency: "USD", exponent: 2).minorUnits == minorUnits)
    }

    @Test(
        "is nothing but digits and a point",
        arguments: [
            "", "-", ".", "10.", ".5", "1,000", "1 000", "1e3", "+1", "--1", "0x10", "١٠", "10.5.0",
            "NaN", " 1", "1-",
        ])
    func malformed(text: String) {
        #expect(throws: Money.FormatError.malformed) {
            try Money(majorUnits: text, currency: "USD", exponent: 2)
        }
    }

    @Test("with too many decimals is refused, not rounded, even if they are zeros")
    func decimals() {
        #expect(throws: Money.FormatError.tooManyDecimals(allowed: 2)) {
            try Money(majorUnits: "10.500", currency: "USD", exponent: 2)
        }
        #expect(throws: Money.FormatError.tooManyDecimals(allowed: 0)) {
            try Money(majorUnits: "1.0", currency: "JPY", exponent: 0)
        }
    }

    @Test(
        "beyond Int64 is out of range",
        arguments: [
            "92233720368547758.08", "-92233720368547758.09",
            "1" + String(repeating: "0", count: 40),
        ])
    func range(text: String) {
        #expect(throws: Money.FormatError.outOfRange) {
            try Money(majorUnits: text, currency: "USD", exponent: 2)
        }
    }
}

@Suite("A timestamp")
struct TimestampTests {
    @Test(
        "is read to the microsecond, whatever its offset",
        arguments: [
            ("2026-01-15T10:30:00.000001Z", 1_768_473_000_000_001),
            ("2026-01-15T12:30:00.5+02:00", 1_768_473_000_500_000),
            ("2026-01-15t05:00:00-05:30", 1_768_473_000_000_000), ("1970-01-01T00:00:00z", 0),
            ("1969-12-31T23:59:59.999999Z", -1), ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ] as [(String, Int64)])
    func read(text: String, microseconds: Int64) throws {
        let timestamp = try #require(Timestamp(text))
        #expect(timestamp.microsecondsSinceEpoch == microseconds)
        #expect(Timestamp(timestamp.description) == timestamp)
    }

    @Test(
        "is not read from anything else",
        arguments: [
            "", "2026-01-15", "2026-01-15T10:30:00", "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z", "2026-01-15T24:00:00Z", "2026-01-15T10:30:60Z",
            "2026-01-15T10:30:00.1234567Z", "2026-01-15T10:30:00.Z", "2026-01-15T10:30:00+2:00",
            "2026-01-15T10:30:00+24:00", "2026-01-15 10:30:00Z", "2026-00-15T10:30:00Z",
            "2026-01-15T10:30:00ZZ", "+026-01-15T10:30:00Z",
        ])
    func malformed(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test("is written in UTC with six decimals")
    func written() {
        let timestamp = Timestamp(microsecondsSinceEpoch: 1_709_164_800_000_042)
        #expect(timestamp.description == "2024-02-29T00:00:00.000042Z")
        #expect(Timestamp(timestamp.date) == timestamp)
    }
}

@Suite("An idempotency key")
struct IdempotencyKeyTests {
    @Test("is 1 to 255 visible ASCII characters")
    func characters() {
        #expect(IdempotencyKey(rawValue: "order-42") != nil)
        #expect(IdempotencyKey(rawValue: String(repeating: "x", count: 255)) != nil)
        for bad in ["", "a b", "a\n", "é", String(repeating: "x", count: 256)] {
            #expect(IdempotencyKey(rawValue: bad) == nil)
        }
    }

    @Test("that is fresh is a UUIDv7 of now that no other one equals")
    func fresh() throws {
        let keys = (0..<1_000).map { _ in IdempotencyKey().rawValue }
        #expect(Set(keys).count == 1_000)
        for key in keys {
            #expect(
                key.wholeMatch(
                    of: /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/)
                    != nil)
        }
        let digits = keys[0].prefix(13).filter { $0 != "-" }
        let milliseconds = try #require(Int64(digits, radix: 16))
        #expect(abs(Double(milliseconds) / 1_000 - Date().timeIntervalSince1970) < 60)
    }
}

@Suite("A pause")
struct PauseTests {
    @Test("doubles up to the longest, half of it random")
    func grows() {
        let configuration = WalletClient.Configuration()
        for (random, expected) in [
            (0.0, [50, 100, 200, 2_500, 2_500]), (0.5, [75, 150, 300, 3_750, 3_750]),
        ] {
            let timing = Timing(sleep: { _ in }, random: { random })
            let pauses = [1, 2, 3, 7, 1_000].map {
                timing.pause(after: $0, asked: nil, configuration)
            }
            #expect(pauses == expected.map { .milliseconds($0) })
        }
    }
}

@Suite("Any JSON value")
struct JSONValueTests {
    @Test("is kept as it is, money to the last unit")
    func kept() throws {
        let text = #"{"a":[1,-9223372036854775808,9007199254740993,1.5,true,null,"x"],"b":{}}"#
        let value = try JSON.decode(JSONValue.self, Data(text.utf8))
        #expect(
            value["a"]?.array == [
                .integer(1), .integer(.min), .integer(9_007_199_254_740_993), .fraction(1.5),
                .bool(true), .null, .string("x"),
            ])
        #expect(String(decoding: try JSON.encode(value), as: UTF8.self) == text)
    }
}
