import Testing
import WalletCore
import WalletTesting

@Suite("Times")
struct InstantTests {
    @Test(
        "are read from RFC 3339 with any offset",
        arguments: [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.000001Z", 1),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2026-01-15T10:30:00.5Z", 1_768_473_000_500_000),
            ("2026-01-15T12:30:00.500000+02:00", 1_768_473_000_500_000),
            ("2026-01-15T05:00:00.5-05:30", 1_768_473_000_500_000),
            ("2024-02-29T23:59:59.999999z", 1_709_251_199_999_999),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ] as [(String, Int64)])
    func reads(text: String, microseconds: Int64) {
        #expect(Instant(rfc3339: text.utf8)?.microseconds == microseconds)
    }

    @Test(
        "are refused in any other spelling",
        arguments: [
            "", "2026-01-15", "2026-01-15T10:30:00", "2026-01-15 10:30:00Z",
            "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:00+2:00", "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00ZZ", "0000-01-01T00:00:00Z", "1768473000",
            "0001-01-01T00:00:00+01:00",
        ])
    func refuses(text: String) {
        #expect(Instant(rfc3339: text.utf8) == nil)
    }

    @Test("come back from their text", arguments: 0..<20 as Range<UInt64>)
    func roundTrip(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let instant = Instant(
                microseconds: .random(
                    in: Instant.earliest.microseconds...Instant.latest.microseconds,
                    using: &generator))
            #expect(Instant(rfc3339: instant.rfc3339.utf8) == instant, "seed \(seed)")
        }
    }

    @Test("sort as text as they sort in time")
    func sortsAsText() {
        let earlier = Instant(microseconds: 1_768_473_000_000_009)
        let later = Instant(microseconds: 1_768_473_000_000_010)
        #expect(earlier.rfc3339 == "2026-01-15T10:30:00.000009Z")
        #expect(earlier.rfc3339 < later.rfc3339)
    }

    @Test("saturate instead of overflowing")
    func saturates() {
        #expect(Instant(microseconds: .max).advanced(byMicroseconds: 1).microseconds == .max)
        #expect(Instant(microseconds: .min).advanced(byMicroseconds: -1).microseconds == .min)
        #expect(Instant(microseconds: -1).milliseconds == -1)
    }
}
