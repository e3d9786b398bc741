import Testing
import WalletCore
import WalletTesting

@Suite("The state after an event")
struct EvolveTests {
    private typealias Table = RefusalTable

    @Test("leaves alone what was not loaded")
    func notLoaded() {
        for (name, event) in Sample.events {
            var state = LedgerState()
            state.evolve(event)
            let opened = event.change.type == .walletOpened
            #expect(state.wallets.isEmpty != opened, "\(name)")
            #expect(state.holds.isEmpty != (event.change.type == .holdPlaced), "\(name)")
            #expect(state.transactions.isEmpty, "\(name)")
        }
    }

    @Test("has the times and the positions of the event")
    func times() throws {
        var ledger = Table.ledger
        let placed = try #require(ledger.run(.hold(Table.rich, 5)).event)
        guard case .holdPlaced(let id, _, _, _, _, _) = placed.change else {
            Issue.record("no hold")
            return
        }
        let open = try #require(ledger.state.holds[id])
        #expect(open.createdAt == placed.recordedAt)
        #expect(open.placedPosition == placed.position)
        #expect(open.closedAt == nil)
        let captured = try #require(ledger.run(.capture(id, 2)).event)
        let closed = try #require(ledger.state.holds[id])
        #expect(closed.closedAt == captured.recordedAt)
        #expect(closed.capturedAmount == 2)
        #expect(closed.createdAt == open.createdAt)
        let wallet = try #require(ledger.state.wallets[Table.rich])
        #expect(wallet.updatedAt == captured.recordedAt)
        #expect(wallet.createdAt == ManualClock.start)
    }

    @Test("knows who used a reference, and for which wallet")
    func references() throws {
        for (command, wallet) in [
            (.deposit(Table.rich, 1, reference: "r"), Table.rich),
            (.withdraw(Table.rich, 1, reference: "r"), Table.rich),
            (.transfer(Table.rich, Table.empty, 1, reference: "r"), Table.rich),
            (.hold(Table.rich, 1, reference: "r"), Table.rich),
        ] as [(Command, WalletID)] {
            var ledger = Table.ledger
            let event = try #require(ledger.run(command).event)
            let key = ReferenceKey(wallet: wallet, scope: Fixture.shop.scope, reference: "r")
            let use = try #require(ledger.state.references[key], "\(command.kind)")
            #expect(use.position == event.position)
            #expect(use.id.embeddedPosition == event.position)
        }
    }

    @Test("sums the postings to each currency's outside")
    func external() {
        var ledger = SmallLedger()
        ledger.add(Table.rich, total: 100)
        ledger.add(Table.yen, "JPY", total: 30)
        ledger.run(.deposit(Table.rich, 7))
        ledger.run(.withdraw(Table.yen, 4))
        #expect(ledger.state.external[Fixture.currency("USD")] == -107)
        #expect(ledger.state.external[Fixture.currency("JPY")] == -26)
    }
}
