import Testing
import WalletCore
import WalletTesting

/// What a command produces, on the ledger of ``RefusalTable``.
@Suite("A command that succeeds")
struct DecideTests {
    private typealias Table = RefusalTable
    private let usd = Account.external(Fixture.currency("USD"))

    /// The event of a command that must succeed, with what every event has checked.
    private func event(
        _ command: Command, ifMatch: Int64? = nil, in ledger: SmallLedger = RefusalTable.ledger
    ) throws -> Event {
        let decision = ledger.decide(command, ifMatch: ifMatch)
        #expect(decision.refusal == nil)
        #expect(decision.expiries.isEmpty)
        let event = try #require(decision.event)
        #expect(event.position == ledger.position + 1)
        #expect(event.epoch == 1)
        #expect(event.recordedAt == ledger.lastTime.advanced(byMicroseconds: 1))
        #expect(event.cause.actor == Fixture.shop)
        #expect(event.cause.command == command.kind)
        #expect(event.isBalanced)
        return event
    }

    private func expect(
        _ event: Event, moved postings: [(Account, Int64)],
        left balances: [(WalletID, total: Int64, held: Int64)]
    ) {
        #expect(event.postings == postings.map { Posting(account: $0, amount: $1) })
        #expect(
            event.balances
                == balances.map {
                    BalanceAfter(wallet: $0, version: 8, total: $1, held: $2)
                })
    }

    @Test("opens an empty wallet whose identifier carries the position and the time")
    func open() throws {
        var ledger = SmallLedger()
        ledger.run(.openWallet(userID: "u", currency: Fixture.currency("JPY")))
        let decision = ledger.run(.openWallet(userID: "é", currency: Fixture.currency("KWD")))
        let event = try #require(decision.event)
        guard case .walletOpened(let id, "é", let currency) = event.change else {
            Issue.record("another change: \(event.change)")
            return
        }
        #expect(currency.code == "KWD")
        #expect(id.embeddedPosition == 2)
        #expect(id.high >> 16 == UInt64(event.recordedAt.milliseconds))
        #expect(event.postings.isEmpty)
        #expect(event.balances == [BalanceAfter(wallet: id, version: 1, total: 0, held: 0)])
        let wallet = try #require(ledger.state.wallets[id])
        #expect(wallet.status == .active)
        #expect(wallet.version == 1)
        #expect(wallet.openedPosition == 2)
        #expect(wallet.createdAt == event.recordedAt)
    }

    @Test("deposits from outside, up to the cap exactly")
    func deposit() throws {
        let room = Amount.maximum - 1_000
        let event = try event(.deposit(Table.rich, room, "USD", reference: "new"), ifMatch: 7)
        expect(
            event, moved: [(usd, -room), (.wallet(Table.rich), room)],
            left: [(Table.rich, Amount.maximum, 200)])
        #expect(event.movement?.reference == "new")
        #expect(event.movement?.transaction.embeddedPosition == event.position)
        #expect(
            Table.ledger.decide(.deposit(Table.rich, room + 1)).refusal?.code == .balanceOverflow)
    }

    @Test("deposits into a frozen wallet")
    func depositFrozen() throws {
        expect(
            try event(.deposit(Table.frozen, 1)),
            moved: [(usd, -1), (.wallet(Table.frozen), 1)], left: [(Table.frozen, 401, 50)])
    }

    @Test("withdraws all that is available and nothing of what is held")
    func withdraw() throws {
        expect(
            try event(.withdraw(Table.rich, 800, reference: "new")),
            moved: [(.wallet(Table.rich), -800), (usd, 800)], left: [(Table.rich, 200, 200)])
    }

    @Test("transfers between two wallets, the debited one first, into a frozen one too")
    func transfer() throws {
        expect(
            try event(.transfer(Table.rich, Table.frozen, 800), ifMatch: 7),
            moved: [(.wallet(Table.rich), -800), (.wallet(Table.frozen), 800)],
            left: [(Table.rich, 200, 200), (Table.frozen, 1_200, 50)])
    }

    @Test("holds what is available without moving it")
    func hold() throws {
        let expiry = ManualClock.start.advanced(byMicroseconds: 2)
        let event = try event(.hold(Table.rich, 800, until: expiry))
        expect(event, moved: [], left: [(Table.rich, 1_000, 1_000)])
        guard case .holdPlaced(let id, Table.rich, _, _, expiry, nil) = event.change else {
            Issue.record("another change: \(event.change)")
            return
        }
        #expect(id.embeddedPosition == event.position)
    }

    @Test("captures a whole hold out of the ledger, and part of one into a wallet")
    func capture() throws {
        expect(
            try event(.capture(Table.open), ifMatch: 7),
            moved: [(.wallet(Table.rich), -200), (usd, 200)], left: [(Table.rich, 800, 0)])
        let partial = try event(.capture(Table.open, 150, to: Table.empty))
        expect(
            partial, moved: [(.wallet(Table.rich), -150), (.wallet(Table.empty), 150)],
            left: [(Table.rich, 850, 0), (Table.empty, 150, 0)])
        guard case .holdCaptured(_, Table.open, Table.rich, released: 50) = partial.change else {
            Issue.record("another change: \(partial.change)")
            return
        }
    }

    @Test("captures and releases what a frozen wallet held before")
    func frozenHolds() throws {
        expect(
            try event(.capture(Table.ofFrozen)),
            moved: [(.wallet(Table.frozen), -50), (usd, 50)], left: [(Table.frozen, 350, 0)])
        expect(
            try event(.releaseHold(hold: Table.ofFrozen)), moved: [], left: [(Table.frozen, 400, 0)]
        )
    }

    @Test("releases a hold without moving money")
    func release() throws {
        expect(
            try event(.releaseHold(hold: Table.open), ifMatch: 7), moved: [],
            left: [(Table.rich, 1_000, 0)])
    }

    @Test("freezes, unfreezes and closes, whatever else the status was")
    func statuses() throws {
        for command in [Command.freezeWallet(Table.frozen), .unfreezeWallet(Table.frozen)] {
            expect(try event(command, ifMatch: 7), moved: [], left: [(Table.frozen, 400, 50)])
        }
        expect(try event(.unfreezeWallet(Table.rich)), moved: [], left: [(Table.rich, 1_000, 200)])
        expect(try event(.closeWallet(Table.empty)), moved: [], left: [(Table.empty, 0, 0)])
        var ledger = Table.ledger
        for (command, status) in [
            (.freezeWallet(Table.empty), .frozen), (.unfreezeWallet(Table.empty), .active),
            (.freezeWallet(Table.empty), .frozen), (.closeWallet(Table.empty), .closed),
        ] as [(Command, WalletStatus)] {
            ledger.run(command)
            #expect(ledger.state.wallets[Table.empty]?.status == status)
        }
    }

    @Test("may use a reference that another caller, or another wallet, has used")
    func references() {
        var ledger = Table.ledger
        let command = Command.deposit(Table.rich, 1, reference: "used")
        let depot = Actor.apiKey(id: "key_1", principal: "depot")
        #expect(ledger.run(command, by: depot).refusal == nil)
        #expect(ledger.run(command, by: depot).refusal?.code == .referenceAlreadyUsed)
        let transfer = Command.transfer(Table.rich, Table.empty, 1, reference: "used")
        for issuer in ["one", "another"] {
            let user = Actor.user(issuer: issuer, subject: "u-17")
            #expect(ledger.run(transfer, by: user).refusal == nil)
            #expect(ledger.run(transfer, by: user).refusal?.code == .referenceAlreadyUsed)
        }
        let rotated = Actor.apiKey(id: "key_2", principal: "shop")
        #expect(ledger.run(command, by: rotated).refusal?.code == .referenceAlreadyUsed)
        #expect(ledger.run(.deposit(Table.yen, 1, reference: "used")).refusal == nil)
    }

    @Test("tells references apart by their bytes")
    func referenceBytes() {
        var ledger = Table.ledger
        for reference in ["\u{E9}", "e\u{301}", "E\u{301}", "", " "] {
            #expect(ledger.run(.deposit(Table.rich, 1, reference: reference)).refusal == nil)
        }
    }

    @Test("names the first transaction, or hold, that used a reference")
    func firstUse() throws {
        var ledger = Table.ledger
        let held = ledger.run(.hold(Table.rich, 1, reference: "r"))
        guard case .holdPlaced(let id, _, _, _, _, _) = try #require(held.event).change else {
            Issue.record("no hold")
            return
        }
        // A transfer's reference belongs to the wallet that it debits.
        let transfer = Command.transfer(Table.rich, Table.empty, 1, reference: "r")
        #expect(
            ledger.run(transfer).refusal
                == Refusal(
                    .referenceAlreadyUsed,
                    [.init("reference", .text("r")), .init("holdId", .text(id.description))]))
        #expect(ledger.run(.transfer(Table.rich, Table.empty, 1, reference: "s")).refusal == nil)
        #expect(ledger.run(.deposit(Table.empty, 1, reference: "s")).refusal == nil)
    }
}
