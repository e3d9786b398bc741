import Testing
import WalletClient

@Suite("A client of the real service", .timeLimit(.minutes(1)))
struct ServiceTests {
    private static func usd(_ minorUnits: Int64) -> Money {
        Money(minorUnits: minorUnits, currency: "USD")
    }

    @Test("moves money, and reads what it has done")
    func movements() async throws {
        try await Service.run { client in
            let alice = try await client.openWallet(
                userID: "alice", currency: "USD", metadata: ["tier": "gold"])
            let bob = try await client.openWallet(userID: "bob", currency: "USD")
            let options = WalletClient.Options(
                reference: "pay-1", description: "Top-up", metadata: ["card": "1234"])
            let deposit = try await client.deposit(
                Self.usd(10_000), into: alice.id, options: options)
            #expect(deposit.type == .deposit)
            #expect(deposit.to == alice.id)
            #expect(deposit.from == nil)
            #expect(deposit.reference == "pay-1")
            #expect(deposit.balances.map(\.total) == [10_000])
            let transfer = try await client.transfer(
                Self.usd(2_500), from: alice.id, to: bob.id, options: .init(ifVersion: 2))
            #expect(try await client.transaction(transfer.id) == transfer.value)
            _ = try await client.withdraw(Self.usd(500), from: bob.id)
            #expect(try await client.wallet(alice.id).balance.available == 7_500)
            #expect(try await client.wallet(alice.id).metadata == ["tier": "gold"])
            let before = try await client.balance(of: alice.id, at: deposit.createdAt)
            #expect(before.total == 10_000)
            #expect(before.existed == true)
            #expect(try await client.balance(of: bob.id).total == 2_000)
            var wallets: [String] = []
            for try await wallet in client.wallets(ofUser: "alice") { wallets.append(wallet.id) }
            #expect(wallets == [alice.id])
        }
    }

    @Test("makes a write once, and gets the first answer again")
    func replay() async throws {
        try await Service.run { client in
            let key = try #require(IdempotencyKey(rawValue: "order 42".filter { $0 != " " }))
            let first = try await client.openWallet(
                userID: "alice", currency: "USD", idempotencyKey: key)
            let again = try await client.openWallet(
                userID: "alice", currency: "USD", idempotencyKey: key)
            #expect(again.value == first.value)
            #expect(!first.isReplay)
            #expect(again.isReplay)
            let error = await #expect(throws: WalletError.self) {
                try await client.openWallet(
                    userID: "bob", currency: "USD", idempotencyKey: key)
            }
            #expect(error?.code == .idempotencyKeyReused)
        }
    }

    @Test("learns why it was refused")
    func refusals() async throws {
        try await Service.run { client in
            let wallet = try await client.openWallet(userID: "alice", currency: "JPY")
            let poor = await #expect(throws: WalletError.self) {
                try await client.withdraw(
                    Money(minorUnits: 5, currency: "JPY"), from: wallet.id)
            }
            #expect(poor?.code == .insufficientFunds)
            #expect(poor?.kind == .refused)
            #expect(poor?.members["available"] == .integer(0))
            #expect(poor?.members["requested"] == .integer(5))
            #expect(poor?.requestID?.isEmpty == false)
            let other = await #expect(throws: WalletError.self) {
                try await client.deposit(Self.usd(5), into: wallet.id)
            }
            #expect(other?.code == .currencyMismatch)
            let missing = await #expect(throws: WalletError.self) {
                try await client.wallet("0198c0de-0000-7000-8000-000000000001")
            }
            #expect(missing?.code == .walletNotFound)
        }
    }

    @Test("reads lists of many pages, each element once")
    func pages() async throws {
        try await Service.run { client in
            let wallet = try await client.openWallet(userID: "alice", currency: "USD")
            for amount in 1...7 {
                _ = try await client.deposit(Self.usd(Int64(amount)), into: wallet.id)
            }
            var changes: [Int64] = []
            let filter = WalletClient.HistoryFilter(type: .deposit, isOldestFirst: true)
            for try await entry in client.history(of: wallet.id, filter: filter, pageSize: 3) {
                changes.append(entry.change)
            }
            #expect(changes == [1, 2, 3, 4, 5, 6, 7])
            var positions: [Int64] = []
            for try await event in client.log(after: 1, pageSize: 2) {
                #expect(event.type == "deposited")
                #expect(event.recordedAt != nil)
                positions.append(event.position)
            }
            #expect(positions == [2, 3, 4, 5, 6, 7, 8])
        }
    }

    @Test("sees that it is well")
    func health() async throws {
        try await Service.run { client in
            #expect(await client.isLive())
            #expect(await client.isReady())
        }
    }
}
