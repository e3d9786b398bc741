import LedgerEngine
import Testing
import WalletCore
import WalletTesting

@Suite struct SegmentTests {
    private func segment(_ events: [[UInt8]], from first: Int64 = 5) -> Segment {
        var body: [UInt8] = []
        for bytes in events { Segment.appendFrame(bytes, hash: .sha256(bytes), to: &body) }
        return Segment(
            firstPosition: first, lastPosition: first + Int64(events.count) - 1,
            recordedAt: ManualClock.start, body: body)
    }

    @Test func frameIsLengthBytesAndHash() {
        var body: [UInt8] = [9]
        Segment.appendFrame([1, 2, 3], hash: Digest(1, 2, 3, 4), to: &body)
        #expect(
            body == [9, 0, 0, 0, 3, 1, 2, 3]
                + [1, 2, 3, 4].flatMap { [0, 0, 0, 0, 0, 0, 0, $0] as [UInt8] })
    }

    @Test func recordsAreReadBack() throws {
        let events: [[UInt8]] = [[1], Array(repeating: 7, count: 70_000), [], [2, 3]]
        let segment = segment(events)
        let records = try segment.records()
        #expect(records.map(\.position) == [5, 6, 7, 8])
        #expect(records.map(\.bytes) == events)
        #expect(records.map(\.hash) == events.map { .sha256($0) })
        for record in records { #expect(try segment.record(at: record.position) == record) }
        #expect(try segment.record(at: 4) == nil)
        #expect(try segment.record(at: 9) == nil)
    }

    @Test func everyPrefixOfABodyIsRefused() {
        let whole = segment([[1, 2, 3], [4, 5], [6]])
        for count in whole.body.indices {
            var cut = whole
            cut.body = Array(whole.body.prefix(count))
            #expect(throws: LogFault.self, "\(count) bytes") { try cut.records() }
            #expect(throws: LogFault.self, "\(count) bytes") { try cut.record(at: 7) }
        }
    }

    @Test func bodyWithTooManyOrTooFewEventsIsRefused() {
        var long = segment([[1], [2], [3]])
        long.lastPosition = 6
        #expect(throws: LogFault.self) { try long.records() }
        var short = segment([[1], [2], [3]])
        short.lastPosition = 8
        #expect(throws: LogFault.self) { try short.records() }
        #expect(throws: LogFault.self) { try short.record(at: 8) }
    }

    @Test func lengthsThatDoNotFitAreRefused() {
        for length: [UInt8] in [
            [0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF], [0, 0, 0, 4], [0, 1, 0, 1],
        ] {
            var damaged = segment([[1]])
            damaged.body.replaceSubrange(0..<4, with: length)
            #expect(throws: LogFault.self) { try damaged.records() }
        }
    }

    /// Whatever the bytes are, reading ends with records or a fault, never with a trap.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func randomDamageNeverTraps(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let whole = segment([[1, 2, 3, 4, 5], Array(repeating: 6, count: 300), [7]])
        for _ in 0..<200 {
            var damaged = whole
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: damaged.body.indices, using: &generator)
                damaged.body[index] = UInt8.random(in: 0...255, using: &generator)
            }
            if Bool.random(using: &generator) {
                damaged.body.removeLast(Int.random(in: 1...20, using: &generator))
            }
            guard let records = try? damaged.records() else { continue }
            #expect(records.map(\.position) == [5, 6, 7])
        }
    }

    @Test func eventAtAnotherPositionThanItSaysIsRefused() async throws {
        let ledger = try await SoundLedger()
        let bytes = ledger.events[3].canonicalBytes
        #expect(
            try LogRecord(position: 4, bytes: bytes, hash: .zero).event() == ledger.events[3])
        let error = #expect(throws: LogFault.self) {
            try LogRecord(position: 5, bytes: bytes, hash: .zero).event()
        }
        #expect(error?.position == 5)
    }
}
