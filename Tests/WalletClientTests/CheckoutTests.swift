import Foundation
import Testing
import WalletClient

@Suite("The example in docs/client.md", .timeLimit(.minutes(1)))
struct CheckoutTests {
    @Test("is the code that is compiled here")
    func verbatim() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let example = try String(
            contentsOf: folder.appending(path: "Checkout.swift"), encoding: .utf8)
        let guide = try String(
            contentsOf: folder.appending(path: "../../docs/client.md"), encoding: .utf8)
        #expect(guide.contains("```swift\n\(example)```\n"))
    }

    @Test("takes a payment once, gives a part back, and pays the sellers")
    func works() async throws {
        try await Service.run { client in
            let customer = try await client.openWallet(userID: "ada", currency: "USD").id
            let till = try await client.openWallet(userID: "shop", currency: "USD").id
            let seller = try await client.openWallet(userID: "seller", currency: "USD").id
            let euros = try await client.openWallet(userID: "vendeur", currency: "EUR").id
            let deposit = try await client.deposit(
                Money(minorUnits: 10_000, currency: "USD"), into: customer)
            let shop = Checkout(wallets: client, till: till)
            let price = Money(minorUnits: 6_000, currency: "USD")
            let expiry = try #require(Timestamp("2099-01-01T00:00:00Z"))

            let hold = try await shop.authorise(
                order: "42", price: price, customer: customer, until: expiry)
            let again = try await shop.authorise(
                order: "42", price: price, customer: customer, until: expiry)
            #expect(hold != nil)
            #expect(again == hold)
            let tooMuch = try await shop.authorise(
                order: "43", price: price, customer: customer, until: expiry)
            #expect(tooMuch == nil)
            #expect(try await client.wallet(customer).balance.available == 4_000)

            let sale = try await shop.ship(order: "42", hold: try #require(hold))
            #expect(try await shop.ship(order: "42", hold: try #require(hold)) == sale)
            #expect(try await client.wallet(till).balance.total == 6_000)
            #expect(
                try await shop.refund(order: "42", sale: sale, minorUnits: 1_000) == 1_000)
            #expect(try await shop.turnover(since: deposit.createdAt) == 6_000)

            let share = Money(minorUnits: 4_000, currency: "USD")
            let failures = try await shop.payOut([(seller, share), (euros, share), (seller, share)])
            #expect(
                failures == ["\(euros): CURRENCY_MISMATCH", "\(seller): INSUFFICIENT_FUNDS"])
            #expect(try await client.wallet(seller).balance.total == 4_000)
            #expect(try await client.wallet(till).balance.total == 1_000)
        }
    }
}
