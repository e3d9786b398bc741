import LedgerEngine
import Testing
import WalletAPI
import WalletCore
import WalletTesting

@Suite("A server-sent event")
struct ServerSentEventTests {
    @Test("has an id, a type and its data in one line, and ends with an empty one")
    func lines() throws {
        var scribe = Scribe(after: Head(new: Fixture.ledger, at: ManualClock.start))
        let append = try scribe.append([
            .openWallet(userID: "a \"b\" \\ \u{2028} ü", currency: Fixture.currency("USD"))
        ])
        let record = try #require(try append.segment?.records().first)
        let event = try record.event()
        var bytes: [UInt8] = []
        ServerSentEvent.append(record, event, to: &bytes)
        // By bytes: a grapheme may span a line break.
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        try #require(lines.count == 5)
        #expect(lines[0] == "id: \(event.epoch)-1")
        #expect(lines[1] == "event: walletOpened")
        let data = try JSONParser.parse(Array(lines[2].dropFirst("data: ".count).utf8))
        #expect(lines[2].hasPrefix("data: {"))
        #expect(data.names == ["position", "hash", "event"])
        #expect(data["position"] == .integer(1))
        #expect(data["event"] == (try JSONParser.parse(record.bytes)))
        #expect(lines[3...] == ["", ""])
    }

    @Test(
        "is read back from its id", arguments: [(0, 0), (1, 1), (.max, .max)] as [(Int64, Int64)])
    func roundTrip(epoch: Int64, position: Int64) {
        let place = ConsistencyToken(epoch: epoch, position: position)
        #expect(ServerSentEvent.place(of: ServerSentEvent.id(of: place)) == place)
    }

    @Test(
        "has no id but one of that form",
        arguments: [
            "", "-", "1", "1-", "-1", "1--1", "1-1-1", "+1-1", "1-+1", " 1-1", "1-1 ", "0x1-1",
            "9223372036854775808-1", "1-9223372036854775808", "１-1",
        ])
    func malformed(id: String) {
        #expect(ServerSentEvent.place(of: id) == nil)
    }

    @Test("never looks like a heartbeat, which is a comment, or like the first lines")
    func comments() {
        #expect(ServerSentEvent.heartbeat.first == UInt8(ascii: ":"))
        for lines in [ServerSentEvent.heartbeat, ServerSentEvent.opening] {
            #expect(lines.suffix(2) == Array("\n\n".utf8))
        }
    }
}
