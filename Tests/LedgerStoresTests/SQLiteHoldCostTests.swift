import LedgerEngine
import LedgerStores
import Testing
import WalletCore
import WalletTesting

/// A wallet's past holds cost its present nothing.
@Suite struct SQLiteHoldCostTests {
    /// The database's plan of each query that writes and balances ask about holds.
    @Test(arguments: [
        "SELECT * FROM holds WHERE wallet_id = ?1 AND expires_at <= ?2 AND status = 1",
        """
        SELECT COUNT(*), SUM(amount) FROM holds
        WHERE wallet_id = ?1 AND status = 1 AND expires_at <= ?2
        """,
        """
        SELECT amount, closed_at FROM holds
        WHERE wallet_id = ?1 AND status = 4 AND expires_at <= ?2
        ORDER BY expires_at DESC, id DESC
        """,
    ])
    func onlyHoldsThatAreDueAreLookedAt(_ sql: String) throws {
        let folder = try TemporaryFolder()
        _ = try folder.open()
        let plan = try folder.connect().prepare("EXPLAIN QUERY PLAN \(sql)")
            .rows { String(decoding: $0.blob(3), as: UTF8.self) }
        #expect(
            plan == [
                "SEARCH holds USING INDEX holds_by_expiry "
                    + "(wallet_id=? AND status=? AND expires_at<?)"
            ])
    }

    @Test func holdsThatAreOverCostNothing() async throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        var scribe = Scribe(after: try await store.read { try $0.head() })
        let opening = try scribe.append([
            .openWallet(userID: "ada", currency: Fixture.currency("EUR"))
        ])
        try await store.write { try $0.append(opening) }
        let wallet = scribe.wallets[0]
        let count = 50_000
        let start = ManualClock.start
        // As they are when every one of them was placed, expired and recorded in its turn.
        let holds = (1...Int64(count)).map { index in
            let placed = start.advanced(byMicroseconds: index * 10)
            return Hold(
                id: HoldID(high: 7, low: UInt64(index)), wallet: wallet,
                amount: Fixture.amount(1), currency: Fixture.currency("EUR"), status: .expired,
                capturedAmount: 0, expiresAt: placed.advanced(byMicroseconds: 5),
                createdAt: placed, placedPosition: 1,
                closedAt: placed.advanced(byMicroseconds: 7))
        }
        let head = scribe.head
        try await store.write { transaction in
            var append = Append(head: head)
            append.holds = holds
            try transaction.append(append)
        }
        let instants = stride(from: Int64(1), through: Int64(count), by: 500).map { index in
            start.advanced(byMicroseconds: index * 10 + 5)
        }
        let began = ContinuousClock.now
        let found = try await store.read { snapshot in
            try instants.map { due in
                [
                    try snapshot.unrecordedExpiries(of: wallet, at: due).amount,
                    try snapshot.unrecordedExpiries(
                        of: wallet, at: due.advanced(byMicroseconds: 2)
                    ).amount,
                    Int64(try snapshot.dueHolds(of: [wallet], at: .latest).count),
                ]
            }
        }
        let time = ContinuousClock.now - began
        #expect(found == Array(repeating: [1, 0, 0], count: instants.count))
        // Milliseconds; a walk over all of them, three hundred times, takes many seconds.
        #expect(time < .seconds(2), "it took \(time)")
    }
}
