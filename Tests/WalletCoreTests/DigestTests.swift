import Testing
import WalletCore
import WalletTesting

@Suite("A digest")
struct DigestTests {
    private static let text = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

    @Test("is 32 bytes, and 64 digits in the same order")
    func forms() throws {
        let digest = try #require(Digest(bytes: Array(0..<32)))
        #expect(digest.description == Self.text)
        #expect(digest.bytes == Array(0..<32))
        #expect(Digest(hex: Self.text.utf8) == digest)
        #expect(Digest.zero.bytes == Array(repeating: 0, count: 32))
    }

    @Test("comes back from its text and its bytes", arguments: 0..<4 as Range<UInt64>)
    func roundTrip(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<100 {
            let digest = Digest(
                generator.next(), generator.next(), generator.next(), generator.next())
            #expect(Digest(bytes: digest.bytes) == digest, "seed \(seed)")
            #expect(Digest(hex: digest.description.utf8) == digest, "seed \(seed)")
        }
    }

    @Test(
        "is refused in any other form",
        arguments: [
            "", String(text.dropLast()), text + "0", text.uppercased(),
            "g" + text.dropFirst(), " " + text.dropFirst(), "é" + text.dropFirst(2),
        ])
    func refuses(text: String) {
        #expect(Digest(hex: text.utf8) == nil)
    }

    @Test("has 32 bytes and no other count", arguments: [0, 31, 33])
    func counts(count: Int) {
        #expect(Digest(bytes: Array(repeating: 0, count: count)) == nil)
        #expect(WalletID(bytes: Array(repeating: 0, count: count)) == nil)
    }
}
