import Testing
import WalletCore
import WalletTesting

@Suite("A reversal")
struct ReversalTests {
    private typealias Table = RefusalTable
    private let usd = Account.external(Fixture.currency("USD"))

    private func run(_ command: Command, in ledger: inout SmallLedger) throws -> Event {
        try #require(ledger.run(command).event)
    }

    private func transaction(_ event: Event) throws -> TransactionID {
        try #require(event.movement).transaction
    }

    @Test("moves money back in parts until nothing is left")
    func parts() throws {
        var ledger = Table.ledger
        let deposit = try transaction(run(.deposit(Table.empty, 100), in: &ledger))
        for (amount, total) in [(30, 30), (69, 99)] as [(Int64, Int64)] {
            let event = try run(.reverse(deposit, amount), in: &ledger)
            #expect(
                event.postings == [
                    Posting(account: .wallet(Table.empty), amount: -amount),
                    Posting(account: usd, amount: amount),
                ])
            guard case .reversed(_, deposit, reversedTotal: total) = event.change else {
                Issue.record("another change: \(event.change)")
                return
            }
        }
        #expect(
            ledger.decide(.reverse(deposit, 2)).refusal
                == Refusal(
                    .reversalExceeded,
                    [.init("allowed", .integer(1)), .init("requested", .integer(2))]))
        let rest = try run(.reverse(deposit), in: &ledger)
        #expect(rest.movement?.amount.minorUnits == 1)
        #expect(
            ledger.decide(.reverse(deposit)).refusal
                == Refusal(.alreadyReversed, [.init("reversedAmount", .integer(100))]))
        #expect(ledger.state.wallets[Table.empty]?.total == 0)
    }

    @Test("of a withdrawal brings the money back from outside")
    func withdrawal() throws {
        var ledger = Table.ledger
        let id = try transaction(run(.withdraw(Table.rich, 10), in: &ledger))
        let event = try run(.reverse(id), in: &ledger)
        #expect(
            event.postings == [
                Posting(account: usd, amount: -10),
                Posting(account: .wallet(Table.rich), amount: 10),
            ])
        #expect(ledger.state.wallets[Table.rich]?.total == 1_000)
    }

    @Test("of a transfer takes from the wallet that was credited, and checks its version")
    func transfer() throws {
        var ledger = Table.ledger
        let id = try transaction(run(.transfer(Table.rich, Table.empty, 10), in: &ledger))
        ledger.run(.freezeWallet(Table.rich))
        let version = try #require(ledger.state.wallets[Table.empty]).version
        let other = try #require(ledger.state.wallets[Table.rich]).version
        #expect(version != other)
        #expect(ledger.decide(.reverse(id), ifMatch: other).refusal?.code == .versionMismatch)
        let event = try #require(ledger.run(.reverse(id), ifMatch: version).event)
        #expect(
            event.postings == [
                Posting(account: .wallet(Table.empty), amount: -10),
                Posting(account: .wallet(Table.rich), amount: 10),
            ])
    }

    @Test("of a capture leaves the hold captured, and nothing held")
    func capture() throws {
        var ledger = Table.ledger
        let id = try transaction(run(.capture(Table.open, 150, to: Table.empty), in: &ledger))
        #expect(ledger.decide(.reverse(id, 151)).refusal?.code == .reversalExceeded)
        _ = try run(.reverse(id), in: &ledger)
        let hold = try #require(ledger.state.holds[Table.open])
        #expect(hold.status == .captured)
        #expect(hold.capturedAmount == 150)
        let wallet = try #require(ledger.state.wallets[Table.rich])
        #expect(wallet.total == 1_000)
        #expect(wallet.held == 0)
    }

    @Test("cannot be reversed itself")
    func reversal() throws {
        var ledger = Table.ledger
        let deposit = try transaction(run(.deposit(Table.empty, 5), in: &ledger))
        let reversal = try transaction(run(.reverse(deposit, 2), in: &ledger))
        #expect(ledger.decide(.reverse(reversal)).refusal == Refusal(.notReversible))
        #expect(ledger.decide(.reverse(reversal, 9)).refusal == Refusal(.notReversible))
    }

    @Test("takes out of a frozen wallet, and from what is available only")
    func frozen() throws {
        var ledger = Table.ledger
        let deposit = try transaction(run(.deposit(Table.frozen, 400), in: &ledger))
        #expect(ledger.decide(.withdraw(Table.frozen, 1)).refusal?.code == .walletFrozen)
        #expect(ledger.run(.reverse(deposit)).refusal == nil)
        ledger.run(.unfreezeWallet(Table.frozen))
        let second = try transaction(run(.deposit(Table.frozen, 10), in: &ledger))
        ledger.run(.hold(Table.frozen, 351))
        #expect(
            ledger.decide(.reverse(second)).refusal
                == Refusal(
                    .insufficientFunds,
                    [
                        .init("walletId", .text(Table.frozen.description)),
                        .init("available", .integer(9)), .init("requested", .integer(10)),
                    ]))
        #expect(ledger.run(.reverse(second, 9)).refusal == nil)
    }

    @Test("does not reach into a closed wallet, or out of one")
    func closed() throws {
        var ledger = Table.ledger
        let transfer = try transaction(run(.transfer(Table.rich, Table.empty, 5), in: &ledger))
        let back = try transaction(run(.transfer(Table.empty, Table.rich, 5), in: &ledger))
        ledger.run(.closeWallet(Table.empty))
        let refusal = Refusal(
            .walletClosed, [.init("walletId", .text(Table.empty.description))])
        #expect(ledger.decide(.reverse(transfer)).refusal == refusal)
        #expect(ledger.decide(.reverse(back)).refusal == refusal)
    }
}
