import LedgerEngine
import WalletCore

/// What a store knows for the sake of callers: their keys, what they own, and the books.
extension LedgerStoreSuite {
    func apiKeysAreFoundAndPaged(_ bench: Bench) async throws {
        // Two of one instant, so that the page's edge falls between them.
        let keys = [("b", 1), ("a", 1), ("é", 0), ("c", 2)].map { id, microseconds in
            APIKey(
                id: id, hash: .sha256(Array(id.utf8)), principal: "shop", scopes: [.read],
                createdAt: bench.clock.now.advanced(byMicroseconds: Int64(microseconds)),
                revokedAt: nil)
        }
        for key in keys { try await bench.store.write { try $0.insert(key) } }
        try await bench.read { [self] snapshot in
            try requireEqual(try snapshot.apiKey(id: "é"), keys[2], "a key by its name")
            try requireEqual(try snapshot.apiKey(id: "e\u{301}"), nil, "a lookalike")
            try requireEqual(try snapshot.apiKey(id: "B"), nil, "a name in upper case")
            let sorted = [keys[2], keys[1], keys[0], keys[3]]
            try requireEqual(try snapshot.apiKeys(after: nil, limit: 9), sorted, "all keys")
            for index in sorted.indices {
                try requireEqual(
                    try snapshot.apiKeys(after: sorted[index].place, limit: 2),
                    Array(sorted[(index + 1)...].prefix(2)), "the keys after number \(index)")
            }
        }
    }

    func walletsOfAnOwnerAreCounted(_ bench: inout Bench) async throws {
        _ = try await bench.openWallets(3)
        _ = try await bench.openWallets(1, currency: "JPY")
        _ = try await bench.openWallets(2, user: "Ada")
        try await bench.read { [self] snapshot in
            for (user, currency, limit, count) in [
                ("ada", "EUR", 10, 3), ("ada", "EUR", 2, 2), ("ada", "JPY", 10, 1),
                ("ada", "USD", 10, 0), ("Ada", "EUR", 10, 2), ("ad", "EUR", 10, 0),
            ] {
                let owner = WalletOwner(
                    user: UserID(user), currency: Fixture.currency(currency))
                try requireEqual(
                    try snapshot.walletCount(of: owner, limit: limit), count,
                    "the wallets of \(user) in \(currency), up to \(limit)")
            }
        }
    }

    func walletsAreSummed(_ bench: inout Bench) async throws {
        try await bench.read { [self] snapshot in
            try requireEqual(try snapshot.walletSums(), [], "the sums of no wallet")
        }
        let wallets = try await bench.openWallets(3, amount: 700)
        _ = try await bench.openWallets(1, currency: "JPY", amount: 5)
        try await bench.write([
            .placeHold(
                wallet: wallets[0], amount: Fixture.amount(30), currency: nil, expiresAt: nil,
                reference: nil),
            .withdraw(
                wallet: wallets[1], amount: Fixture.amount(100), currency: nil, reference: nil),
        ])
        try await bench.read { [self] snapshot in
            try requireEqual(
                try snapshot.walletSums().sorted { $0.currency < $1.currency },
                [
                    WalletSum(
                        currency: Fixture.currency("EUR"), wallets: 3, total: 2_000, held: 30),
                    WalletSum(currency: Fixture.currency("JPY"), wallets: 1, total: 5, held: 0),
                ], "the sums of all wallets")
        }
    }
}
