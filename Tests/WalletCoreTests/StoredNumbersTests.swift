import Testing
import WalletCore

/// Tables and logs hold these; a change of one would give old rows another meaning.
@Suite("Stored numbers and names")
struct StoredNumbersTests {
    @Test("of the types of event never change")
    func eventTypes() {
        let numbers: [Int64: String] = [
            1: "walletOpened", 2: "deposited", 3: "withdrawn", 4: "transferred", 5: "holdPlaced",
            6: "holdCaptured", 7: "holdReleased", 8: "holdExpired", 9: "reversed",
            10: "walletFrozen", 11: "walletUnfrozen", 12: "walletClosed",
        ]
        #expect(EventType.allCases.count == numbers.count)
        for type in EventType.allCases {
            #expect(type.name == numbers[type.rawValue])
            #expect(EventType(name: type.name) == type)
        }
        #expect(EventType(name: "") == nil)
    }

    @Test("of statuses never change")
    func statuses() {
        #expect(
            WalletStatus.allCases.map { "\($0.rawValue) \($0.name)" }
                == ["1 active", "2 frozen", "3 closed"])
        #expect(
            HoldStatus.allCases.map { "\($0.rawValue) \($0.name)" }
                == ["1 open", "2 captured", "3 released", "4 expired"])
    }

    @Test("of the kinds of command never change")
    func kinds() {
        #expect(
            Set(CommandKind.allCases.map(\.rawValue)) == [
                "openWallet", "deposit", "withdrawal", "transfer", "hold", "capture", "release",
                "reversal", "freeze", "unfreeze", "close", "expire",
            ])
    }

    @Test("say which events move money")
    func transactions() {
        for (name, event) in Sample.events {
            let isTransaction = event.change.type.isTransaction
            #expect(isTransaction == (event.movement != nil), "\(name)")
            #expect(isTransaction == !event.postings.isEmpty, "\(name)")
            let reversible = ReversibleTransaction(event, reversedAmount: 3)
            #expect((reversible != nil) == isTransaction, "\(name)")
            #expect(reversible?.debited == event.postings.first?.account, "\(name)")
            #expect(reversible?.credited == event.postings.last?.account, "\(name)")
        }
    }
}
