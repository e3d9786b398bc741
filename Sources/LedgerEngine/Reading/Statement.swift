package import WalletCore

/// A wallet's account of a period: what it came to before and after, and the way to the movements
/// in between.
package struct Statement: Sendable {
    /// How many movements are read at a time.
    package static let pageSize = 200

    package var wallet: WalletID
    package var currency: Currency
    /// Inclusive.
    package var from: Instant
    /// Exclusive.
    package var until: Instant
    /// The balance just before the period.
    package var opening: BalanceView
    /// The balance at the end of the period, or now while the period lasts.
    package var closing: BalanceView
    /// False as long as an event could still be recorded in the period.
    package var isFinal: Bool
    /// The end of the log as it was then. Times increase along the log, so nothing that is recorded
    /// later falls between ``from`` and this: all pages belong to one state of the ledger.
    package var head: Head
}

extension Queries {
    /// A wallet's statement, without its movements; `nil` where there is no such wallet.
    ///
    /// - Parameters:
    ///   - from: the wallet's beginning if absent.
    ///   - until: now if absent, and so that everything recorded so far lies before it.
    /// - Throws: ``QueryError/futureTimestamp`` for a period that has not begun.
    package func statement(
        of id: WalletID, from: Instant?, until: Instant?, after token: ConsistencyToken?
    ) async throws -> Reading<Statement?> {
        try await read(after: token) { [now] snapshot, head in
            guard let wallet = try snapshot.wallets([id]).first else { return nil }
            let present = max(now(), head.recordedAt)
            let until = until ?? max(present, head.recordedAt.advanced(byMicroseconds: 1))
            let from = from ?? min(wallet.createdAt, until)
            guard from <= present else {
                throw QueryError.futureTimestamp(ConsistencyToken(head))
            }
            let last = until.advanced(byMicroseconds: -1)
            return Statement(
                wallet: id, currency: wallet.currency, from: from, until: until,
                opening: try snapshot.balance(
                    of: wallet, at: from.advanced(byMicroseconds: -1), head),
                closing: try snapshot.balance(of: wallet, at: min(last, present), head),
                isFinal: last <= head.recordedAt, head: head)
        }
    }

    /// A statement's movements, oldest first.
    package func movements(of statement: Statement) -> StatementMovements {
        StatementMovements(queries: self, statement: statement)
    }
}

/// Reads a statement's movements page by page, and proves on the way that they lead from the
/// opening to the closing balance.
package struct StatementMovements: Sendable {
    private let queries: Queries
    private let statement: Statement
    private var query: EntryQuery
    /// Minor units, after the movements read so far.
    private var total: Int64

    fileprivate init(queries: Queries, statement: Statement) {
        self.queries = queries
        self.statement = statement
        total = statement.opening.total
        query = EntryQuery(
            types: EventType.allCases.filter(\.isTransaction), from: statement.from,
            until: min(
                statement.until, statement.head.recordedAt.advanced(byMicroseconds: 1)),
            isAscending: true, limit: Statement.pageSize)
    }

    /// The next page; empty after the last.
    ///
    /// - Throws: when the movements do not add up, or the timeline that the statement began on is
    ///   not the ledger's any more.
    package mutating func next() async throws -> [HistoryItem] {
        var page: HistoryPage?
        repeat {
            page = try await queries.history(
                of: statement.wallet, query, after: ConsistencyToken(statement.head)
            ).value
            if let last = page?.scannedTo { query.from = last.advanced(byMicroseconds: 1) }
        } while page?.items.isEmpty ?? false && page?.scannedTo != nil
        let items = page?.items ?? []
        for item in items {
            let (sum, overflow) = total.addingReportingOverflow(item.entry.change)
            guard !overflow, sum == item.entry.total else { throw doesNotAddUp }
            total = sum
        }
        if let last = items.last {
            query.from = max(query.from, last.entry.recordedAt.advanced(byMicroseconds: 1))
        } else if total != statement.closing.total {
            throw doesNotAddUp
        }
        return items
    }

    private var doesNotAddUp: StoreError {
        .corrupted(reason: "a statement's movements do not lead to its closing balance")
    }
}
