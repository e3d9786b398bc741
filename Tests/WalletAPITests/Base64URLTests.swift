import Testing
import WalletAPI
import WalletTesting

@Suite("Base 64")
struct Base64URLTests {
    @Test(
        "has the test vectors of RFC 4648 §10, without padding",
        arguments: [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"),
        ])
    func vectors(plain: String, encoded: String) {
        #expect(Base64URL.encode(Array(plain.utf8)) == encoded)
        #expect(Base64URL.decode(encoded) == Array(plain.utf8))
    }

    @Test("uses the letters that are safe in a URL")
    func alphabet() {
        #expect(Base64URL.encode([0xFB, 0xEF, 0xFF]) == "--__")
        #expect(Base64URL.decode("--__") == [0xFB, 0xEF, 0xFF])
    }

    @Test(
        "refuses what it would not have written",
        arguments: [
            "Zg==", "Zm8=", "+/+/", "Zm9v ", "Zm 9v", "Z", "Zm9vY", "Zh", "Zm9", "é", "Zm9v\n",
        ])
    func foreign(text: String) {
        #expect(Base64URL.decode(text) == nil)
    }

    @Test("gives any bytes back", arguments: 0..<50 as Range<UInt64>)
    func roundTrip(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for count in 0..<70 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes, "seed \(seed)")
        }
    }
}
