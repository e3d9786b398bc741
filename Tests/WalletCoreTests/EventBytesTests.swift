import Testing
import WalletCore
import WalletTesting

@Suite("The decoder of events")
struct EventBytesTests {
    /// Decoding gives the one event that has these bytes, or an error.
    private func check(_ bytes: [UInt8], _ comment: Comment) {
        guard let event = try? Event(canonicalBytes: bytes) else { return }
        #expect(event.canonicalBytes == bytes, comment)
    }

    private static let transferred = Sample.events.first { $0.name == "transferred-batch" }
    private static let escapes = Sample.events.first { $0.name == "walletOpened-user-escapes" }

    /// The bytes of the sample, or else of the first one that has what is to be replaced.
    private func sample(with text: String, first: (name: String, event: Event)?) throws -> [UInt8] {
        let samples = try [#require(first).event] + Sample.events.map(\.event)
        let sought = Array(text.utf8)
        return try #require(
            samples.lazy.map(\.canonicalBytes).first { $0.contains(sought) },
            "no sample has \(text)")
    }

    @Test(
        "refuses every other spelling of the same event",
        arguments: [
            ("{\"v\"", " {\"v\""), ("{\"v\"", "\u{FEFF}{\"v\""), ("{\"v\"", "{ \"v\""),
            ("\"v\":1", "\"v\": 1"), ("\"v\":1", "\"v\":01"), ("\"v\":1", "\"v\":1.0"),
            ("\"position\":88123,\"epoch\":2", "\"epoch\":2,\"position\":88123"),
            ("\"position\":88123", "\"position\":+88123"), ("88123", "88123.0"),
            ("88123", "88.123e3"), ("88123", "088123"), ("88123", "\"88123\""),
            ("\"epoch\":2", "\"epoch\":2,\"epoch\":2"), ("\"epoch\":2", "\"epoch\":2,\"x\":0"),
            ("\"epoch\":2", "\"Epoch\":2"), ("\"epoch\":2,", ""), ("\"epoch\":2", "\"epoch\":-0"),
            ("apiKey", "api\u{212A}ey"), ("apiKey", "\\u0061piKey"), ("apiKey", "apikey"),
            ("\"id\":\"key_1\",\"principal\":\"shop\"", "\"principal\":\"shop\",\"id\":\"key_1\""),
            ("\"atomic\":true", "\"atomic\":1"), ("\"atomic\":true", "\"atomic\":True"),
            ("\"index\":7,\"size\":1000", "\"size\":1000,\"index\":7"),
            ("019bc138-88c0", "019BC138-88C0"), ("019bc138-88c0", "019bc13888c0"),
            ("1a1a1a1a", "1A1A1A1A"), ("1a1a1a1a", "1a1a1a"), ("\"USD\"", "\"usd\""),
            ("\"USD\"", "\"XXX\""), ("\"amount\":1,", "\"amount\":0,"),
            ("\"amount\":1,", "\"amount\":-1,"), ("\"amount\":1,", "\"amount\":null,"),
            ("\"amount\":1,", "\"amount\":9007199254740992,"),
            ("\"currency\":\"USD\"", "\"currency\":\"USD\",\"reference\":null"),
            ("wallet:019b", "Wallet:019b"), ("wallet:019b", "wallet: 019b"),
            ("wallet:019b", "external:019b"), ("\"postings\":[{", "\"postings\":[,{"),
            ("},{", "}{"), ("},{", "},,{"), ("},{", "}, {"), ("}]}", "},]}"), ("}]}", "}]"),
            ("}]}", "}]}}"), ("}]}", "}]} "), ("}]}", "}]}\n"), ("}]}", "}],\"text\":null}"),
            ("{\"kind\":\"system\"}", "{\"kind\":}"), ("{\"kind\":\"system\"}", "{}"),
            ("{\"kind\":\"system\"}", "{\"kind\":\"nobody\"}"),
            ("\"reverses\":", "\"Reverses\":"), ("\"released\":50", "\"released\":050"),
            ("transferred", "withdrawnX"), ("\"command\":\"transfer\"", "\"command\":\"steal\""),
        ] as [(String, String)])
    func otherSpellings(find: String, replacement: String) throws {
        var bytes = try sample(with: find, first: Self.transferred)
        let range = try #require(bytes.firstRange(of: Array(find.utf8)))
        bytes.replaceSubrange(range, with: replacement.utf8)
        #expect(throws: EventDecodingError.self) { try Event(canonicalBytes: bytes) }
    }

    @Test(
        "refuses every other escape of the same text",
        arguments: [
            ("\\\"", "\\u0022"), ("\\\\", "\\u005c"), ("/", "\\/"), ("\\u0000", "\0"),
            ("\\u001f", "\\u001F"), ("\\u001f", "\u{1F}"), ("\u{7F}", "\\u007f"),
            ("€", "\\u20ac"), ("😀", "\\ud83d\\ude00"), ("\\u000a", "\\n"), ("\\u000a", "\n"),
        ] as [(String, String)])
    func otherEscapes(find: String, replacement: String) throws {
        var bytes = try sample(with: find, first: Self.escapes)
        let range = try #require(bytes.firstRange(of: Array(find.utf8)))
        bytes.replaceSubrange(range, with: replacement.utf8)
        #expect(throws: EventDecodingError.self) { try Event(canonicalBytes: bytes) }
    }

    @Test("says when the bytes are of a version that it does not know")
    func versions() throws {
        let bytes = try #require(Self.transferred).event.canonicalBytes
        var next = bytes
        next[5] = UInt8(ascii: "2")
        #expect(throws: EventDecodingError.unknownVersion) { try Event(canonicalBytes: next) }
        #expect(throws: EventDecodingError.unknownVersion) { try Event(canonicalBytes: []) }
    }

    @Test("names the byte that it did not expect")
    func offset() throws {
        var bytes = try #require(Self.transferred).event.canonicalBytes
        bytes[8] = UInt8(ascii: "P")
        #expect(throws: EventDecodingError.malformed(offset: 7)) {
            try Event(canonicalBytes: bytes)
        }
    }

    @Test("never takes an event that is cut short", arguments: Sample.events)
    func truncations(name: String, event: Event) {
        let bytes = event.canonicalBytes
        for count in 0..<bytes.count {
            #expect(throws: EventDecodingError.self, "\(name) cut to \(count)") {
                try Event(canonicalBytes: Array(bytes[..<count]))
            }
        }
    }

    @Test(
        "survives any damage, and takes only what it would write itself",
        arguments: 0..<8 as Range<UInt64>)
    func damage(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for (name, event) in Sample.events {
            let bytes = event.canonicalBytes
            for _ in 0..<60 {
                var changed = bytes
                let offset = Int.random(in: 0..<bytes.count, using: &generator)
                let byte = UInt8.random(in: .min ... .max, using: &generator)
                switch UInt8.random(in: 0..<5, using: &generator) {
                case 0: changed[offset] = byte
                case 1: changed[offset] ^= 1 << (byte & 7)
                case 2: changed.insert(byte, at: offset)
                case 3: changed.remove(at: offset)
                default: changed[offset] = bytes[Int(byte) % bytes.count]
                }
                check(changed, "seed \(seed), \(name), offset \(offset)")
            }
        }
    }

    @Test("survives noise of any length", arguments: 0..<4 as Range<UInt64>)
    func noise(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let alphabet = Array("{}[]\",:\\u0123456789abcdef-vé".utf8)
        for _ in 0..<500 {
            let count = Int.random(in: 0..<64, using: &generator)
            let noise = (0..<count).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
            let front = Bool.random(using: &generator) ? Array("{\"v\":1,".utf8) : []
            #expect(throws: EventDecodingError.self, "seed \(seed)") {
                try Event(canonicalBytes: front + noise)
            }
        }
    }
}

@Suite("Accounts")
struct AccountTests {
    @Test(
        "are read as they are written",
        arguments: [
            .wallet(Sample.wallet(1)), .external(Fixture.currency("JPY")),
        ] as [Account])
    func roundTrip(account: Account) {
        var bytes: [UInt8] = []
        account.append(to: &bytes)
        #expect(Account(String(decoding: bytes, as: UTF8.self)) == account)
    }

    @Test(
        "are refused in any other spelling",
        arguments: [
            "", "wallet:", "external:", "USD", "external:usd", "external:USD ", "bank:USD",
            "wallet:USD", "external:019bc138-88c0-7000-8000-000a00000001",
            "external:\u{301}USD", "EXTERNAL:USD",
        ])
    func refuses(text: String) {
        #expect(Account(text) == nil)
    }
}

@Suite("An event's postings")
struct BalancedTests {
    private static let outside = Account.external(Fixture.currency("USD"))
    private static let inside = Account.wallet(Sample.wallet(1))

    @Test(
        "balance when they sum to zero and name no account twice",
        arguments: [
            ([], true), ([(outside, -5), (inside, 5)], true),
            ([(outside, -5), (inside, 4)], false),
            ([(outside, 5)], false), ([(inside, -5), (inside, 5)], false),
            ([(outside, -Amount.maximum), (inside, Amount.maximum)], true),
            ([(outside, -Amount.maximum - 1), (inside, Amount.maximum + 1)], false),
            ([(outside, .max), (inside, .max)], false), ([(outside, .min), (inside, .min)], false),
        ] as [([(Account, Int64)], Bool)])
    func balanced(postings: [(Account, Int64)], isBalanced: Bool) {
        let change = Change.walletFrozen(wallet: Sample.wallet(1))
        #expect(Sample.event(change, .freeze, postings: postings).isBalanced == isBalanced)
    }
}
