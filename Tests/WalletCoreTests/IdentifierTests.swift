import Testing
import WalletCore
import WalletTesting

@Suite("Identifiers")
struct IdentifierTests {
    @Test("are UUIDs of version 7 with the time in front")
    func version() {
        let id = WalletID(recordedAt: ManualClock.start, position: 88_123, entropy: .max)
        let text = id.description
        #expect(text == "019bc134-7840-7000-8000-0560efffffff")
        #expect(text.dropFirst(14).first == "7")
        #expect(id.low >> 62 == 0b10)
        #expect(id.high >> 16 == UInt64(ManualClock.start.milliseconds))
    }

    @Test("carry the position of the event that made them", arguments: 0..<10 as Range<UInt64>)
    func position(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let position = Int64.random(in: 1..<1 << 48, using: &generator)
            let id = TransactionID(
                recordedAt: ManualClock.start, position: position, entropy: generator.next())
            #expect(id.embeddedPosition == position, "seed \(seed)")
            #expect(TransactionID(id.description) == id)
            #expect(TransactionID(bytes: id.bytes) == id)
        }
    }

    @Test("sort in the order of the log, even within a millisecond")
    func order() {
        let ids = (1...100).map {
            WalletID(recordedAt: ManualClock.start, position: $0, entropy: UInt64(200 - $0))
        }
        #expect(ids == ids.sorted())
        #expect(ids.map(\.description) == ids.map(\.description).sorted())
    }

    @Test(
        "are read in canonical form only",
        arguments: [
            "", "019bc138-88c0-7000-8000-560ed3ffffff0", "019bc138-88c0-7000-8000-560ed3fffff",
            "019BC138-88C0-7000-8000-560ED3FFFFFF", "019bc13888c070008000560ed3ffffff",
            "{19bc138-88c0-7000-8000-560ed3ffffff", "019bc138-88c0-7000-8000-560ed3fffffg",
            "019bc138_88c0-7000-8000-560ed3ffffff", "٠19bc138-88c0-7000-8000-560ed3fffff",
        ])
    func refuses(text: String) {
        #expect(WalletID(text) == nil)
    }
}
