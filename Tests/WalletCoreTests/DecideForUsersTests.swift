import Testing
import WalletCore
import WalletTesting

/// The ledger of ``RefusalTable``, all of whose wallets belong to `u-17`.
@Suite("A user")
struct DecideForUsersTests {
    private typealias Table = RefusalTable

    private let owner = Actor.user(issuer: "i", subject: "u-17")
    private let stranger = Actor.user(issuer: "i", subject: "u-18")

    private func refusal(_ command: Command, by actor: Actor, ifMatch: Int64? = nil) -> Refusal? {
        Table.ledger.decide(command, by: actor, ifMatch: ifMatch).refusal
    }

    @Test("pays from a wallet of its own, to any")
    func pays() throws {
        let decision = Table.ledger.decide(.transfer(Table.rich, Table.empty, 800), by: owner)
        let event = try #require(decision.event)
        #expect(event.cause.actor == owner)
        #expect(event.isBalanced)
        #expect(event.balances.map(\.wallet) == [Table.rich, Table.empty])
    }

    @Test("finds nobody else's wallet, whatever else is wrong")
    func strangers() {
        for wallet in [Table.rich, Table.frozen, Table.closed, Table.missing] {
            let refused = refusal(
                .transfer(wallet, Table.yen, 9_999, "EUR", reference: "used"), by: stranger,
                ifMatch: 1)
            #expect(
                refused
                    == Refusal(
                        .walletNotFound, [.init("walletId", .text(wallet.description))]))
        }
    }

    @Test(
        "differs from another by a single byte",
        arguments: ["U-17", "u-17 ", "u-1", "u\u{2010}17", ""])
    func lookalikes(subject: String) {
        let actor = Actor.user(issuer: "i", subject: subject)
        #expect(
            refusal(.transfer(Table.rich, Table.empty, 1), by: actor)?.code == .walletNotFound)
    }

    @Test("learns what is wrong with its own side first, and of the other side one thing only")
    func order() {
        let steps: [(Command, Int64?, Refusal.Code?)] = [
            (.transfer(Table.rich, Table.rich, 9_999, "EUR"), 1, .sameWallet),
            (
                .transfer(Table.frozen, Table.missing, 9_999, "EUR", reference: "used"), 1,
                .referenceAlreadyUsed
            ),
            (.transfer(Table.frozen, Table.missing, 9_999, "EUR"), 1, .versionMismatch),
            (.transfer(Table.frozen, Table.missing, 9_999, "EUR"), 7, .currencyMismatch),
            (.transfer(Table.frozen, Table.missing, 9_999), 7, .walletFrozen),
            (.transfer(Table.closed, Table.missing, 9_999), 7, .walletClosed),
            (.transfer(Table.rich, Table.missing, 801), 7, .insufficientFunds),
            (.transfer(Table.rich, Table.missing, 800), 7, .recipientUnavailable),
            (.transfer(Table.rich, Table.yen, 800), 7, .recipientUnavailable),
            (.transfer(Table.rich, Table.closed, 800), 7, .recipientUnavailable),
            (.transfer(Table.rich, Table.full, 800), 7, .recipientUnavailable),
            (.transfer(Table.rich, Table.frozen, 800), 7, nil),
        ]
        var ledger = Table.ledger
        for wallet in [Table.rich, Table.frozen, Table.closed] {
            let key = ReferenceKey(wallet: wallet, scope: owner.scope, reference: "used")
            ledger.state.references[key] = ReferenceUse(id: Table.user, position: 1)
        }
        for (index, (command, ifMatch, code)) in steps.enumerated() {
            let decision = ledger.decide(command, by: owner, ifMatch: ifMatch)
            #expect(decision.refusal?.code == code, "step \(index)")
        }
    }

    @Test(
        "may do nothing that is the platform's, not even to its own",
        arguments: [
            .deposit(Table.rich, 1), .withdraw(Table.rich, 1), .hold(Table.rich, 1),
            .capture(Table.open), .capture(Table.open, to: Table.empty),
            .releaseHold(hold: Table.open), .reverse(Table.partlyReversed),
            .freezeWallet(Table.rich), .unfreezeWallet(Table.frozen), .closeWallet(Table.empty),
            .deposit(Table.missing, 1),
        ] as [Command])
    func forbidden(command: Command) {
        for actor in [owner, stranger] {
            #expect(refusal(command, by: actor) == Refusal(.forbidden))
        }
    }

    @Test("opens ten wallets a currency for itself, and none for another")
    func opens() {
        var ledger = SmallLedger()
        for currency in ["USD", "EUR"] {
            let command = Command.openWallet(
                userID: "u-18", currency: Fixture.currency(currency))
            let needs = command.needs(by: stranger)
            #expect(needs.owner?.currency.code == currency)
            if let owner = needs.owner { ledger.state.walletCounts[owner] = 1 }
            for _ in 2...WalletOwner.limit {
                #expect(ledger.run(command, by: stranger).event != nil)
            }
            #expect(
                ledger.run(command, by: stranger).refusal
                    == Refusal(.forbidden, [.init("allowed", .integer(10))]))
            #expect(ledger.run(command).event != nil, "the platform opens as many as it likes")
            #expect(ledger.run(command, by: owner).refusal == Refusal(.forbidden))
        }
    }

    @Test("opens nothing where nobody has counted its wallets")
    func uncounted() {
        let command = Command.openWallet(userID: "u-18", currency: Fixture.currency("USD"))
        #expect(SmallLedger().decide(command, by: stranger).refusal?.code == .forbidden)
        #expect(command.needs(by: Fixture.shop).owner == nil)
    }
}
