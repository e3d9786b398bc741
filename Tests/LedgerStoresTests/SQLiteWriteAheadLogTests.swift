import Dispatch
import LedgerEngine
import LedgerStores
import Testing
import WalletCore
import WalletTesting

/// Commits of a megabyte, which soon fill the write-ahead log.
private struct LargeCommits {
    static let bytes = 1 << 20
    let store: SQLiteLedgerStore
    private(set) var position: Int64 = 0

    init(to store: SQLiteLedgerStore) {
        self.store = store
    }

    /// Writes a commit whose bytes are told by its position.
    mutating func next() async throws {
        position += 1
        let position = position
        try await store.write { transaction in
            var head = try transaction.head()
            head.position = position
            var append = Append(head: head)
            append.segment = Segment(
                firstPosition: position, lastPosition: position, recordedAt: head.recordedAt,
                body: LargeCommits.body(position))
            try transaction.append(append)
        }
    }

    static func body(_ position: Int64) -> [UInt8] {
        Array(repeating: UInt8(truncatingIfNeeded: position), count: bytes)
    }

    /// Whether a store has every commit as it was written.
    func areAll(in store: SQLiteLedgerStore) async throws -> Bool {
        let last = position
        return try await store.read { snapshot in
            try snapshot.head().position == last
                && (1...last).allSatisfy { position in
                    try snapshot.segment(containing: position)?.body == LargeCommits.body(position)
                }
        }
    }
}

@Suite(.serialized) struct SQLiteWriteAheadLogTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test func logStaysBoundedAndNothingIsLost() async throws {
        var store = try folder.open()
        var commits = LargeCommits(to: store)
        var largest = 0
        for _ in 0..<80 {
            try await commits.next()
            largest = max(largest, try folder.size(of: "-wal"))
        }
        #expect(largest < 32 << 20, "the log grew to \(largest >> 20) MiB")
        #expect(try await commits.areAll(in: store))
        store = try folder.open()
        #expect(try await commits.areAll(in: store))
    }

    @Test func readerOfAnOldSnapshotKeepsItsPagesAndTheLogShrinksAfterIt() async throws {
        let store = try folder.open()
        var commits = LargeCommits(to: store)
        for _ in 0..<10 { try await commits.next() }
        let started = Gate(isOpen: false)
        let finished = DispatchSemaphore(value: 0)
        async let seen = store.read { snapshot in
            let before = try snapshot.head().position
            started.open()
            let inTime = finished.wait(timeout: .now() + 20) == .success
            let last = try snapshot.segment(containing: before)
            return (
                inTime, before, try snapshot.head().position,
                last?.body == LargeCommits.body(before), try snapshot.segment(containing: 11)
            )
        }
        await started.pass()
        for _ in 0..<90 { try await commits.next() }
        let grown = try folder.size(of: "-wal")
        #expect(grown > 80 << 20, "the reader needs what is in the log")
        finished.signal()
        let (inTime, before, after, isIntact, later) = try await seen
        #expect(inTime && isIntact)
        #expect(before == 10 && after == 10)
        #expect(later == nil)
        for _ in 0..<50 { try await commits.next() }
        #expect(try folder.size(of: "-wal") <= 72 << 20, "the file is cut to 64 MiB")
        #expect(try await commits.areAll(in: store))
    }
}
