import Foundation
import Testing
import WalletAPI
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

    @Test("is shared by more tasks than there are connections, and each sees what all have done")
    func parallel() async throws {
        try await Service.run { client in
            let wallet = try await client.openWallet(userID: "alice", currency: "USD").id
            let count = WalletClient.connectionsPerService * 2
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...count {
                    group.addTask { _ = try await client.deposit(Self.usd(1), into: wallet) }
                }
                try await group.waitForAll()
            }
            let balance = try await client.balance(of: wallet)
            #expect(balance.total == Int64(count))
            #expect(balance.version == Int64(count) + 1)
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

    @Test("sets money aside, takes a part of it, and finds its holds")
    func holds() async throws {
        try await Service.run { client in
            let wallet = try await client.openWallet(userID: "alice", currency: "USD")
            _ = try await client.deposit(Self.usd(100), into: wallet.id)
            let expiry = try #require(Timestamp("2099-01-01T00:00:00Z"))
            let first = try await client.placeHold(
                Self.usd(60), in: wallet.id, expiresAt: expiry,
                options: .init(reference: "stay-1", metadata: ["room": "7"]))
            #expect(first.status == .open)
            #expect(first.expiresAt == expiry)
            let second = try await client.placeHold(Self.usd(40), in: wallet.id)
            #expect(try await client.hold(first.id) == first.value)
            let capture = try await client.capture(first.id, minorUnits: 10)
            #expect(capture.type == .capture)
            #expect(capture.holdId == first.id)
            #expect(try await client.release(second.id).status == .released)
            var statuses: [String: WalletClient.Hold.Status] = [:]
            for try await hold in client.holds(of: wallet.id, pageSize: 1) {
                statuses[hold.id] = hold.status
            }
            #expect(statuses == [first.id: .captured, second.id: .released])
            #expect(try await client.wallet(wallet.id).balance.available == 90)
            let late = await #expect(throws: WalletError.self) {
                try await client.capture(second.id)
            }
            #expect(late?.code == .holdNotOpen)
        }
    }

    @Test("undoes a transaction, and freezes and closes a wallet")
    func reversals() async throws {
        try await Service.run { client in
            let wallet = try await client.openWallet(userID: "alice", currency: "USD")
            let deposit = try await client.deposit(Self.usd(100), into: wallet.id)
            let part = try await client.reverse(deposit.id, minorUnits: 30)
            #expect(part.type == .reversal)
            #expect(part.reverses == deposit.id)
            #expect(try await client.transaction(deposit.id).reversedAmount == 30)
            #expect(try await client.freeze(wallet.id, reason: "lost").status == .frozen)
            let frozen = await #expect(throws: WalletError.self) {
                try await client.withdraw(Self.usd(1), from: wallet.id)
            }
            #expect(frozen?.code == .walletFrozen)
            #expect(try await client.unfreeze(wallet.id).status == .active)
            #expect(try await client.reverse(deposit.id).amount == 70)
            #expect(try await client.close(wallet.id).status == .closed)
        }
    }

    @Test("does many things in one request, all or each for itself")
    func batches() async throws {
        try await Service.run { client in
            let alice = try await client.openWallet(userID: "alice", currency: "USD").id
            let bob = try await client.openWallet(userID: "bob", currency: "USD").id
            let operations: [WalletClient.Operation] = [
                .deposit(Self.usd(100), into: alice),
                .transfer(Self.usd(60), from: alice, to: bob),
                .hold(Self.usd(10), in: bob),
                .withdrawal(Self.usd(500), from: bob),
            ]
            let whole = await #expect(throws: WalletError.self) {
                try await client.batch(operations, atomic: true)
            }
            #expect(whole?.code == .batchRefused)
            #expect(try await client.wallet(alice).balance.total == 0)
            let key = IdempotencyKey()
            let batch = try await client.batch(operations, atomic: false, idempotencyKey: key)
            let kinds = batch.value.map { result in
                switch result {
                case .transaction(let transaction): transaction.type.rawValue
                case .hold(let hold): hold.status.rawValue
                case .refused(let error): error.code.rawValue
                case .unknown: "unknown"
                }
            }
            #expect(kinds == ["deposit", "transfer", "open", "INSUFFICIENT_FUNDS"])
            let again = try await client.batch(operations, atomic: false, idempotencyKey: key)
            #expect(again.isReplay)
            #expect(again.value.count == 4)
            #expect(try await client.wallet(bob).balance.total == 60)
        }
    }

    @Test("learns what became of a key")
    func outcomes() async throws {
        try await Service.run { client in
            let wallet = try await client.openWallet(userID: "alice", currency: "USD").id
            let deposit = try await client.deposit(Self.usd(5), into: wallet)
            let done = try await client.outcome(of: deposit.idempotencyKey)
            guard case .done(let answer) = done else {
                Issue.record("\(done)")
                return
            }
            #expect(answer["id"] == .string(deposit.id))
            let key = IdempotencyKey()
            _ = await #expect(throws: WalletError.self) {
                try await client.withdraw(
                    Self.usd(9), from: wallet, options: .init(idempotencyKey: key))
            }
            guard case .refused(let error) = try await client.outcome(of: key) else {
                Issue.record("it was refused")
                return
            }
            #expect(error.code == .insufficientFunds)
            #expect(try await client.outcome(of: IdempotencyKey()) == .unknown)
        }
    }

    @Test("gets a statement whose ends agree with its entries, and the same as CSV")
    func statements() async throws {
        try await Service.run { client in
            let wallet = try await client.openWallet(userID: "alice", currency: "USD").id
            _ = try await client.deposit(Self.usd(500), into: wallet)
            let from = try await client.deposit(Self.usd(10), into: wallet).createdAt
            _ = try await client.withdraw(Self.usd(3), from: wallet)
            let statement = try await client.statement(of: wallet, from: from)
            #expect(statement.walletId == wallet)
            #expect(statement.opening.total == 500)
            #expect(statement.entries.map(\.change) == [10, -3])
            #expect(statement.closing.total == 507)
            var csv: [UInt8] = []
            for try await piece in try await client.statementCSV(of: wallet, from: from) {
                csv += piece
            }
            let lines = String(decoding: csv, as: UTF8.self).split(separator: "\r\n")
            #expect(
                lines.map { $0.prefix(7) } == [
                    "row,at,", "opening", "entry,2", "entry,2", "closing",
                ])
        }
    }

    @Test("sees that it is well")
    func health() async throws {
        try await Service.run { client in
            #expect(await client.isLive())
            #expect(await client.isReady())
        }
    }

    @Test("has a name for every error that the service knows")
    func codes() throws {
        let source = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent()
                .appending(path: "../../Sources/WalletClient/WalletError.swift"), encoding: .utf8)
        let named = source.matches(of: /Self\(rawValue: "([A-Z_]+)"\)/).map { String($0.output.1) }
        #expect(Set(named).count == named.count)
        let missing = Set(ProblemCode.allCases.map(\.rawValue)).subtracting(named)
        #expect(missing.isEmpty)
    }
}
