import Testing
import WalletCore

@Suite("Canonical JSON")
struct CanonicalJSONTests {
    private func text(_ write: (inout CanonicalJSON) -> Void) -> String {
        var json = CanonicalJSON()
        write(&json)
        return String(decoding: json.bytes, as: UTF8.self)
    }

    @Test("has commas between values, colons after names, and no white space")
    func structure() {
        let written = text { json in
            json.beginObject()
            json.key("list")
            json.beginArray()
            json.integer(1)
            json.beginObject()
            json.endObject()
            json.beginArray()
            json.endArray()
            json.boolean(true)
            json.boolean(false)
            json.null()
            json.endArray()
            json.member("text", "x")
            json.nullMember("nothing")
            json.member(escaping: "a\"b", "y")
            json.key("raw")
            json.raw("{}".utf8)
            json.member("last", true)
            json.endObject()
        }
        #expect(
            written == """
                {"list":[1,{},[],true,false,null],"text":"x","nothing":null,"a\\"b":"y",\
                "raw":{},"last":true}
                """)
    }

    @Test("escapes quotes, backslashes and control characters, and nothing else")
    func escapes() {
        #expect(text { $0.string("\"\\") } == #""\"\\""#)
        #expect(text { $0.string("\0\t\n\r\u{1F}") } == #""\u0000\u0009\u000a\u000d\u001f""#)
        #expect(text { $0.string("/é€😀\u{7F}\u{2028}") } == "\"/é€😀\u{7F}\u{2028}\"")
    }

    @Test(
        "writes every integer in decimal",
        arguments: [
            (0, "0"), (-1, "-1"), (10, "10"), (.max, "9223372036854775807"),
            (.min, "-9223372036854775808"),
        ] as [(Int64, String)])
    func integers(value: Int64, expected: String) {
        #expect(text { $0.integer(value) } == expected)
    }
}

/// The reader is seen through a refusal, whose members are any text and any integer.
@Suite("The reader of canonical JSON")
struct CanonicalReaderTests {
    private func value(_ spelled: String) -> Refusal.Value? {
        let json = "{\"code\":\"SAME_WALLET\",\"members\":[[\"m\",\(spelled)]]}"
        return Refusal(canonicalBytes: Array(json.utf8))?.members.first?.value
    }

    @Test(
        "reads back the text that the writer wrote",
        arguments: ["", "a", "\"\\/", "\0\u{1}\n\u{1F}\u{7F}", "é€😀", "e\u{301}", "\u{FEFF}"])
    func strings(text: String) {
        let refusal = Refusal(.sameWallet, [.init("m", .text(text)), .init(text, .integer(1))])
        let again = Refusal(canonicalBytes: refusal.canonicalBytes)
        #expect(again == refusal)
        #expect(again?.canonicalBytes == refusal.canonicalBytes)
    }

    @Test(
        "reads back every integer",
        arguments: [0, 1, -1, 10, .max, .min, .max - 1, .min + 1] as [Int64])
    func integers(value: Int64) {
        #expect(self.value("\(value)") == .integer(value))
    }

    @Test(
        "refuses every other number",
        arguments: [
            "", "-", "-0", "00", "01", "-01", "+1", "1.0", "1e0", "0x1", " 1", "1 ", "٣",
            "9223372036854775808", "-9223372036854775809", "99999999999999999999", "NaN",
        ])
    func otherNumbers(spelled: String) {
        #expect(value(spelled) == nil)
    }

    @Test(
        "refuses every other spelling of text",
        arguments: [
            #""\n""#, #""\/""#, #""\u0041""#, #""\u000A""#, #""\u001F""#, #""\u0020""#,
            #""\u00""#, #""\u000""#, #""\ud83d\ude00""#, #""\x""#, "\"", #""\""#, #"'a'"#,
            "\"\n\"", "\"\t\"", "\"a\" ", "null", "true",
        ])
    func otherText(spelled: String) {
        #expect(value(spelled) == nil)
    }

    @Test(
        "refuses what is not UTF-8",
        arguments: [
            [0xFF], [0xC0, 0x80], [0xC3], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0x80],
        ] as [[UInt8]])
    func notUTF8(bytes: [UInt8]) {
        let front = Array("{\"code\":\"SAME_WALLET\",\"members\":[[\"m\",\"".utf8)
        let back = Array("\"]]}".utf8)
        #expect(Refusal(canonicalBytes: front + Array("é".utf8) + back) != nil)
        #expect(Refusal(canonicalBytes: front + bytes + back) == nil)
    }

    @Test(
        "refuses every other spelling of a refusal",
        arguments: [
            "", "{}", #"{"code":"SAME_WALLET"}"#, #"{"code":"NO_SUCH_CODE","members":[]}"#,
            #"{"members":[],"code":"SAME_WALLET"}"#, #"{"code":"SAME_WALLET","members":[]} "#,
            #"{"code":"SAME_WALLET","members":[],"x":1}"#,
            #"{"code":"SAME_WALLET","members":[["a",1],]}"#,
            #"{"code":"SAME_WALLET","members":[["a",1]["b",1]]}"#,
            #"{"code":"SAME_WALLET","members":[["a"]]}"#, #"{"code":"SAME_WALLET","members":["#,
            "{\"code\":\"CURRENCY_UN\u{212A}NOWN\",\"members\":[]}",
        ])
    func otherRefusals(spelled: String) {
        #expect(Refusal(canonicalBytes: Array(spelled.utf8)) == nil)
    }
}

@Suite("Free text")
struct FreeTextTests {
    @Test(
        "comes back from its bytes",
        arguments: [
            FreeText(), FreeText(description: ""), FreeText(description: "a\n\"b\""),
            FreeText(metadata: ["": "", "b": "2", "a": "1", "é": "\0"]),
            FreeText(description: "x", metadata: ["k": "v"]),
        ])
    func roundTrip(text: FreeText) {
        let again = FreeText(canonicalBytes: text.canonicalBytes)
        #expect(again == text)
        #expect(again?.canonicalBytes == text.canonicalBytes)
    }

    @Test("has its pairs in the order of their bytes, whatever the language thinks of them")
    func order() {
        let text = FreeText(
            description: "d", metadata: ["b": "1", "a": "2", "B": "3", "é": "4", "z": "5", "": "6"])
        #expect(
            String(decoding: text.canonicalBytes, as: UTF8.self) == """
                {"description":"d","metadata":{"":"6","B":"3","a":"2","b":"1","z":"5","é":"4"}}
                """)
    }

    @Test(
        "is refused in any other spelling",
        arguments: [
            "", "{", "{} ", #"{"description":"a",}"#, #"{"metadata":{}}"#,
            #"{"metadata":{"b":"1","a":"2"}}"#, #"{"metadata":{"a":"1","a":"2"}}"#,
            #"{"metadata":{"a":"1",}}"#, #"{"metadata":{"a":1}}"#,
            #"{"metadata":{"a":"1"},"description":"a"}"#,
            #"{"description":"a""metadata":{"a":"1"}}"#, #"{"description":null}"#,
        ])
    func otherSpellings(spelled: String) {
        #expect(FreeText(canonicalBytes: Array(spelled.utf8)) == nil)
    }
}
