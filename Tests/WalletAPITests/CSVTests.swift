import Testing
import WalletAPI
import WalletCore
import WalletTesting

@Suite("CSV")
struct CSVTests {
    private func written(_ write: (inout CSV) -> Void) -> String {
        var csv = CSV()
        write(&csv)
        return String(decoding: csv.drain(), as: UTF8.self)
    }

    @Test("separates fields by commas and ends lines with CRLF")
    func lines() {
        let text = written { csv in
            csv.plain("a")
            csv.integer(-5)
            csv.empty(2)
            csv.text("b")
            csv.endLine()
            csv.empty()
            csv.plain("c")
            csv.endLine()
        }
        #expect(text == "a,-5,,,\"b\"\r\n,c\r\n")
    }

    @Test("goes on in the middle of a line after what was written has been taken")
    func drain() {
        var csv = CSV()
        csv.plain("a")
        #expect(csv.drain() == Array("a".utf8))
        csv.plain("b")
        #expect(csv.drain() == Array(",b".utf8))
        #expect(csv.drain().isEmpty)
    }

    @Test(
        "quotes text and doubles its quotes",
        arguments: [
            ("", #""""#), ("a", #""a""#), (#"""#, #""""""#), (#"a"b"#, #""a""b""#),
            ("a,b;c", #""a,b;c""#), ("a\nb\r\nc", "\"a\nb\r\nc\""), ("ü💰", #""ü💰""#),
            ("1=2", #""1=2""#), (" =1", #"" =1""#),
        ])
    func quotes(text: String, expected: String) {
        #expect(written { $0.text(text) } == expected)
    }

    @Test(
        "puts an apostrophe before text that a spreadsheet would run",
        arguments: [
            "=1", "+1", "-1", "@a", "\ta", "\ra", "\na", "\r\na", "\u{FF1D}1", "\u{FF0B}1",
            "\u{FF0D}1", "\u{FF20}a",
        ])
    func formulas(text: String) {
        #expect(written { $0.text(text) } == "\"'\(text)\"")
    }

    @Test(
        "replaces control characters but tabs and line breaks",
        arguments: ["\0", "\u{1}", "\u{8}", "\u{B}", "\u{1B}", "\u{7F}", "\u{85}", "\u{9F}"])
    func controls(control: String) {
        #expect(written { $0.text("a\(control)b\t") } == "\"a\u{FFFD}b\t\"")
    }

    @Test("tells text that is empty from text that is absent")
    func absent() {
        let text = written { csv in
            csv.text(nil)
            csv.text("")
            csv.text(nil)
        }
        #expect(text == ",\"\",")
    }

    @Test("writes times and identifiers as the API does")
    func values() {
        let text = written { csv in
            csv.instant(ManualClock.start)
            csv.identifier(Fixture.ledger)
            csv.identifier(WalletID?.none)
        }
        #expect(text == "2026-01-15T10:30:00.000000Z,\(Fixture.ledger),")
    }
}
