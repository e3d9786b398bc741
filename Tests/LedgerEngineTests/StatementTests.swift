import LedgerEngine
import Testing
import WalletCore
import WalletTesting

@Suite("A statement", .timeLimit(.minutes(1)))
struct StatementTests {
    /// A ledger in memory with one wallet, written by hand.
    private final class Ledger {
        let clock = ManualClock()
        let store: InMemoryLedgerStore
        let queries: Queries
        private var scribe: Scribe
        private(set) var wallet: WalletID

        init() async throws {
            store = InMemoryLedgerStore(ledger: Fixture.ledger) { [clock] in clock.now }
            queries = Queries(store: store) { [clock] in clock.now }
            scribe = Scribe(after: try await store.read { try $0.head() })
            let open = try scribe.append([
                .openWallet(userID: "alice", currency: Fixture.currency("USD"))
            ])
            wallet = scribe.wallets[0]
            try await store.write { try $0.append(open) }
            clock.advance(byMicroseconds: 1_000_000)
        }

        /// Deposits amounts, a microsecond apart.
        func deposit(_ amounts: some Sequence<Int64>) async throws {
            let append = try scribe.append(
                amounts.map {
                    .deposit(
                        wallet: wallet, amount: Fixture.amount($0), currency: nil, reference: nil)
                }, at: clock.now)
            try await store.write { try $0.append(append) }
            clock.advance(byMicroseconds: 1_000_000)
        }

        /// Puts entries into the history that no event led to.
        func forge(_ change: (inout Entry) -> Void) async throws {
            var append = try scribe.append(
                [
                    .deposit(
                        wallet: wallet, amount: Fixture.amount(1), currency: nil, reference: nil)
                ], at: clock.now)
            for index in append.entries.indices { change(&append.entries[index]) }
            let forged = append
            try await store.write { try $0.append(forged) }
            clock.advance(byMicroseconds: 1_000_000)
        }

        func statement(from: Instant? = nil, until: Instant? = nil) async throws -> Statement {
            let reading = try await queries.statement(
                of: wallet, from: from, until: until, after: nil)
            return try #require(reading.value)
        }

        /// The pages of a statement, without the empty one at the end.
        func pages(of statement: Statement) async throws -> [[HistoryItem]] {
            var movements = queries.movements(of: statement)
            var pages: [[HistoryItem]] = []
            while case let page = try await movements.next(), !page.isEmpty { pages.append(page) }
            return pages
        }
    }

    @Test("is read by pages that hold every movement once, in order")
    func pages() async throws {
        let ledger = try await Ledger()
        let count = 2 * Statement.pageSize + 1
        try await ledger.deposit((1...Int64(count)))
        let statement = try await ledger.statement()
        let pages = try await ledger.pages(of: statement)
        #expect(pages.map(\.count) == [Statement.pageSize, Statement.pageSize, 1])
        #expect(pages.joined().map(\.entry.change) == (1...Int64(count)).map { $0 })
        #expect(statement.opening.total == 0)
        #expect(!statement.opening.existed)
        #expect(statement.closing.total == Int64(count * (count + 1) / 2))
    }

    @Test("does not change while it is read")
    func bounded() async throws {
        let ledger = try await Ledger()
        try await ledger.deposit(Array(repeating: 1, count: Statement.pageSize))
        let statement = try await ledger.statement(until: .latest)
        #expect(!statement.isFinal)
        var movements = ledger.queries.movements(of: statement)
        #expect(try await movements.next().count == Statement.pageSize)
        try await ledger.deposit([5])
        #expect(try await movements.next().isEmpty)
        #expect(statement.closing.total == Int64(Statement.pageSize))
        #expect(try await ledger.statement().closing.total == Int64(Statement.pageSize) + 5)
    }

    @Test("includes its first instant and excludes its last, and knows when it is final")
    func edges() async throws {
        let ledger = try await Ledger()
        try await ledger.deposit([1, 2, 4])
        let all = try await ledger.pages(of: try await ledger.statement()).joined()
        let times = all.map(\.entry.recordedAt)
        let middle = try await ledger.statement(from: times[1], until: times[2])
        #expect(try await ledger.pages(of: middle).joined().map(\.entry.change) == [2])
        #expect(middle.opening.total == 1)
        #expect(middle.closing.total == 3)
        #expect(middle.isFinal)
        let last = try await ledger.statement(
            from: times[2], until: times[2].advanced(byMicroseconds: 1))
        #expect(try await ledger.pages(of: last).joined().map(\.entry.change) == [4])
        #expect(last.isFinal)
        let open = try await ledger.statement(
            from: times[2], until: times[2].advanced(byMicroseconds: 2))
        #expect(!open.isFinal)
    }

    @Test("holds all that is recorded even if the clock has been set back")
    func clockSetBack() async throws {
        let ledger = try await Ledger()
        try await ledger.deposit([3])
        ledger.clock.advance(byMicroseconds: -60_000_000)
        let statement = try await ledger.statement()
        #expect(try await ledger.pages(of: statement).joined().map(\.entry.change) == [3])
        #expect(statement.closing.total == 3)
        #expect(statement.isFinal)
    }

    @Test("of a period that has not begun is refused")
    func future() async throws {
        let ledger = try await Ledger()
        let now = ledger.clock.now
        _ = try await ledger.statement(from: now)
        let token = ConsistencyToken(try await ledger.queries.head())
        await #expect(throws: QueryError.futureTimestamp(token)) {
            try await ledger.statement(from: now.advanced(byMicroseconds: 1))
        }
    }

    @Test("whose movements do not lead from one to the next is not read to its end")
    func doesNotAddUp() async throws {
        let ledger = try await Ledger()
        try await ledger.deposit([1, 2])
        try await ledger.forge { $0.total += 1 }
        let statement = try await ledger.statement()
        await #expect(throws: StoreError.self) { try await ledger.pages(of: statement) }
    }

    @Test("that lacks a movement is not read to its end")
    func lacksOne() async throws {
        let ledger = try await Ledger()
        try await ledger.deposit([1, 2])
        // Of a type that moves no money, so that the history passes over it.
        try await ledger.forge { $0.type = .walletFrozen }
        let statement = try await ledger.statement()
        #expect(statement.closing.total == 4)
        await #expect(throws: StoreError.self) { try await ledger.pages(of: statement) }
    }
}
