import LedgerEngine
import LedgerStores
import Testing
import WalletCore
import WalletTesting

/// A command on a wallet that has many holds whose time has come, and that nobody has swept.
@Suite struct SQLiteDueHoldsTests {
    @Test func oneCommandRecordsAllOfThemInTime() async throws {
        let folder = try TemporaryFolder()
        let clock = ManualClock()
        let store = try folder.open(clock)
        var scribe = Scribe(after: try await store.read { try $0.head() })
        let opening = try scribe.append([
            .openWallet(userID: "ada", currency: Fixture.currency("EUR"))
        ])
        try await store.write { try $0.append(opening) }
        let count = 24_000
        var wallet = try #require(opening.opened.first)
        wallet.total = Int64(count)
        wallet.held = Int64(count)
        var placing = Append(head: scribe.head)
        placing.updated = [wallet]
        placing.holds = (1...count).map { index in
            Hold(
                id: HoldID(high: 7, low: UInt64(index)), wallet: wallet.id,
                amount: Fixture.amount(1), currency: wallet.currency, status: .open,
                capturedAmount: 0, expiresAt: clock.now.advanced(byMicroseconds: 10),
                createdAt: clock.now, placedPosition: 1, closedAt: nil)
        }
        let written = placing
        try await store.write { try $0.append(written) }
        clock.advance(byMicroseconds: 1_000_000)

        var limits = Sequencer.Limits()
        limits.commandTimeout = .seconds(60)
        let sequencer = Sequencer(store: store, limits: limits, entropy: { 7 })
        async let running: Void = sequencer.run()
        let began = ContinuousClock.now
        let answer = try await sequencer.submit(
            Fixture.submission(
                .deposit(
                    wallet: wallet.id, amount: Fixture.amount(1), currency: nil, reference: nil),
                key: "k"))
        let time = ContinuousClock.now - began
        sequencer.stop()
        await running
        guard case .recorded(let outcome) = answer.outcome else {
            Issue.record("it was refused")
            return
        }
        #expect(outcome.event.balances[0].held == 0)
        #expect(outcome.event.position == Int64(count) + 2)
        // About a second; a cost that grows with their square takes minutes.
        #expect(time < .seconds(40), "it took \(time)")
    }
}
