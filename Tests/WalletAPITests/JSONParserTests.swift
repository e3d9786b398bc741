import Testing
import WalletAPI
import WalletTesting

@Suite("The JSON parser")
struct JSONParserTests {
    private func parse(_ text: String) throws -> JSONValue {
        try JSONParser.parse(Array(text.utf8))
    }

    @Test(
        "judges integers by their digits",
        arguments: [
            ("0", 0), ("-0", 0), ("7", 7), ("-7", -7), ("10", 10),
            ("9007199254740991", 9_007_199_254_740_991),
            ("9007199254740993", 9_007_199_254_740_993),
            ("9223372036854775807", .max), ("-9223372036854775808", .min),
        ] as [(String, Int64)])
    func integers(text: String, value: Int64) throws {
        #expect(try parse(text) == .integer(value))
    }

    @Test(
        "clamps an integer that does not fit, so that no range has it",
        arguments: [
            ("9223372036854775808", .max), ("-9223372036854775809", .min),
            ("18446744073709551617", .max), ("1" + String(repeating: "0", count: 30), .max),
            ("-1" + String(repeating: "0", count: 5_000), .min),
        ] as [(String, Int64)])
    func clamped(text: String, value: Int64) throws {
        #expect(try parse(text) == .integer(value))
    }

    @Test(
        "takes no fraction and no exponent for an integer, whatever the value",
        arguments: ["10.0", "1e3", "1E3", "1e+3", "1e-3", "0.1", "-0.0", "0e0", "12.5e10", "1e999"])
    func fractions(text: String) throws {
        #expect(try parse(text) == .fractional)
    }

    @Test(
        "refuses what is no number",
        arguments: [
            "01", "-01", "00", "-", "+1", ".5", "1.", "1.e3", "1e", "1e+", "--1", "0x10", "1_000",
            "NaN", "Infinity", "-Infinity", "１", "1 2", "1,2",
        ])
    func notNumbers(text: String) {
        #expect(throws: JSONFault.self) { try parse(text) }
    }

    @Test(
        "reads every escape",
        arguments: [
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"),
            (#""\ud83d\ude00\uD83D\uDE00""#, "😀😀"), (#""\u0000""#, "\0"), (#""""#, ""),
            (#""plain, then\u0020escaped""#, "plain, then escaped"),
        ])
    func escapes(text: String, value: String) throws {
        let read = try #require(try parse(text).text)
        #expect(Array(read.utf8) == Array(value.utf8))
    }

    @Test(
        "refuses strings that are not whole",
        arguments: [
            "\"", "\"abc", #""\"#, #""\""#, #""\x41""#, #""\u12""#, #""\u12g4""#, #""\U0041""#,
            #""\ud800""#, #""\udc00""#, #""\ud800x""#, #""\ud800\n""#, #""\ud800\u0041""#,
            #""\ud800\ud800""#, #""\udc00\ud800""#, "\"a\nb\"", "\"\0\"", "\"\u{1F}\"", "'a'",
        ])
    func notStrings(text: String) {
        #expect(throws: JSONFault.self) { try parse(text) }
    }

    @Test(
        "refuses bytes that are not UTF-8",
        arguments: [
            [0xFF], [0xE2, 0x82], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0x80], [0xF8, 0x88, 0x80, 0x80, 0x80],
        ] as [[UInt8]])
    func notUTF8(bytes: [UInt8]) {
        #expect(throws: JSONFault.self) { try JSONParser.parse([0x22] + bytes + [0x22]) }
        #expect(throws: JSONFault.self) {
            try JSONParser.parse([0x22, 0x5C, 0x6E] + bytes + [0x22])
        }
    }

    @Test(
        "refuses a second member of one name, however it is written",
        arguments: [
            #"{"a":1,"a":1}"#, #"{"a":1,"\u0061":2}"#, #"{"a":{"b":1,"b":2}}"#, #"{"":1,"":1}"#,
            "{\"\u{E9}\":1,\"e\u{301}\":2}",
        ])
    func duplicates(text: String) {
        #expect(throws: JSONFault.self) { try parse(text) }
    }

    @Test("keeps the members in their order")
    func order() throws {
        #expect(try parse(#" { "b" : 1 , "a" : [ true , null ] } "#).names == ["b", "a"])
        let nested = try parse(#"{"a":{"x":1},"b":{"x":2}}"#)
        #expect(nested["a"]?["x"] == .integer(1))
        #expect(nested["b"]?["x"] == .integer(2))
    }

    @Test(
        "refuses what is around or between values",
        arguments: [
            "", " ", "{} x", "{}{}", "[1,]", "[,1]", "[1 2]", "{\"a\":1,}", "{,}", "{\"a\"}",
            "{\"a\":}", "{a:1}", "{1:1}", "[", "{", "]", "}", "[}", "{]", "tru", "truex", "nul",
            "True", "\u{FEFF}{}", "{}\0", "/**/{}", "{}//", "\u{A0}{}", "[1]]",
        ])
    func surroundings(text: String) {
        #expect(throws: JSONFault.self) { try parse(text) }
    }

    @Test("goes so deep and no deeper")
    func depth() throws {
        func nested(_ levels: Int) -> String {
            String(repeating: "[", count: levels) + "1" + String(repeating: "]", count: levels)
        }
        #expect(throws: Never.self) { try parse(nested(JSONParser.maximumDepth)) }
        #expect(throws: JSONFault.self) { try parse(nested(JSONParser.maximumDepth + 1)) }
        #expect(throws: JSONFault.self) { try parse(String(repeating: "[", count: 1_000_000)) }
        #expect(throws: JSONFault.self) {
            try parse(String(repeating: #"{"a":"#, count: 1_000_000))
        }
    }

    @Test("takes any number of members, and none of them twice", .timeLimit(.minutes(1)))
    func members() throws {
        func object(_ count: Int, then last: String) -> String {
            "{" + (0..<count).map { "\"m\($0)\":0," }.joined() + "\"\(last)\":0}"
        }
        // As many as a body can have: to compare each with each would take minutes.
        for count in [1, 15, 16, 17, 100, 90_000] {
            #expect(try parse(object(count, then: "x")).names.count == count + 1)
            for twice in ["m0", "m\(count / 2)", "m\(count - 1)"] {
                let fault = #expect(throws: JSONFault.self) {
                    try parse(object(count, then: twice))
                }
                #expect(fault?.reason == "a member stands twice")
            }
        }
    }

    @Test("tells the byte where it stopped")
    func offset() {
        let fault = #expect(throws: JSONFault.self) { try parse("[1,01]") }
        #expect(fault?.offset == 5)
    }

    @Test("refuses every body that is cut short, and survives any change to one")
    func robustness() throws {
        let body = Array(
            #"{"userId":"\u00e9\ud83d\ude00é","amount":-120,"metadata":{"a":[1.5e3,true,null]}}"#
                .utf8)
        #expect(throws: Never.self) { try JSONParser.parse(body) }
        for count in 0..<body.count {
            #expect(throws: JSONFault.self) { try JSONParser.parse(Array(body.prefix(count))) }
        }
        var parsed = 0
        for index in body.indices {
            for byte in 0...255 as ClosedRange<UInt8> {
                var changed = body
                changed[index] = byte
                if (try? JSONParser.parse(changed)) != nil { parsed += 1 }
            }
        }
        // The body as it is, once for each of its bytes, and harmless changes of letters.
        #expect(parsed > body.count && parsed < body.count * 256)
    }
}
