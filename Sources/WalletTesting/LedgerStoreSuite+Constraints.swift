import LedgerEngine
import WalletCore

/// The database is the last assertion: what the engine would never write is refused.
extension LedgerStoreSuite {
    private func deposit(_ wallet: WalletID, reference: String? = nil) -> Command {
        .deposit(
            wallet: wallet, amount: Fixture.amount(5), currency: nil, reference: reference)
    }

    func walletIsNotOpenedTwice(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1)[0]
        let row = bench.scribe.state.wallets[wallet]
        var append = try bench.scribe.append([deposit(wallet)])
        append.updated = []
        append.opened = [row].compactMap(\.self)
        try await requireRejection(of: append, by: bench, "opening a wallet twice")
    }

    func keyIsNotUsedTwice(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1)[0]
        let first = try await bench.write([deposit(wallet)])
        var append = try bench.scribe.append([deposit(wallet)])
        append.keys = [KeyRecord(key: first.keys[0].key, position: append.head.position)]
        try await requireRejection(of: append, by: bench, "using a key twice")
    }

    func referenceIsNotUsedTwice(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1)[0]
        let first = try await bench.write([deposit(wallet, reference: "order")])
        var append = try bench.scribe.append([deposit(wallet, reference: "other")])
        append.references[0].key = first.references[0].key
        try await requireRejection(of: append, by: bench, "using a reference twice")
    }

    func entryIsNotWrittenTwice(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1)[0]
        let first = try await bench.write([deposit(wallet)])
        var append = try bench.scribe.append([deposit(wallet)])
        append.entries = first.entries
        try await requireRejection(of: append, by: bench, "writing an entry twice")
    }

    func apiKeysAreUnique(_ bench: Bench) async throws {
        let key = APIKey(
            id: "key_1", hash: .sha256([1]), principal: "shop", scopes: .write,
            createdAt: bench.clock.now, revokedAt: nil)
        var sameID = key
        sameID.hash = .sha256([2])
        var sameHash = key
        sameHash.id = "key_2"
        try await bench.store.write { try $0.insert(key) }
        for duplicate in [sameID, sameHash] {
            do {
                try await bench.store.write { try $0.insert(duplicate) }
                throw Failure(description: "an API key was kept twice")
            } catch StoreError.rejected {}
        }
        let keys = try await bench.read { try $0.apiKeys() }
        try requireEqual(keys, [key], "the API keys after duplicates")
    }

    func walletIsNeverOverdrawn(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1)[0]
        let append = try bench.scribe.append([deposit(wallet)])
        let breakages: [(String, (inout Wallet) -> Void)] = [
            ("a total below zero", { $0.total = -1 }),
            ("more held than there is", { $0.held = $0.total + 1 }),
            ("less than nothing held", { $0.held = -1 }),
            ("a total that no amount can have", { $0.total = Amount.maximum + 1 }),
        ]
        for (what, damage) in breakages {
            var damaged = append
            damage(&damaged.updated[0])
            try await requireRejection(of: damaged, by: bench, what)
        }
        try await bench.store.write { try $0.append(append) }
    }

    /// The largest total, and external sums and times of 64 bits, come back as they were.
    func largeNumbersAreExact(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1, amount: Amount.maximum)[0]
        let expires = Instant.latest
        try await bench.write([
            .placeHold(
                wallet: wallet, amount: Fixture.amount(Amount.maximum), currency: nil,
                expiresAt: expires, reference: nil)
        ])
        let currency = Fixture.currency("EUR")
        let state = bench.scribe.state
        var append = Append(head: bench.scribe.head)
        append.external = [currency: .min, Fixture.currency("JPY"): .max]
        let written = append
        try await bench.store.write { try $0.append(written) }
        try await bench.read { [self] snapshot in
            try requireEqual(
                try snapshot.wallets([wallet]), [state.wallets[wallet]].compactMap(\.self),
                "a wallet that is full")
            try requireEqual(
                try snapshot.holds(Array(state.holds.keys)), Array(state.holds.values),
                "a hold of all of it")
            try requireEqual(
                try snapshot.externalBalances(), written.external, "the external accounts")
        }
    }

    /// A batch asks for as many rows as it has commands, which may be more than a database takes
    /// in one statement.
    func longListsAreLookedUp(_ bench: inout Bench) async throws {
        let count = 1_200
        let wallets = try await bench.openWallets(count, user: "ada", amount: 10)
        let append = try await bench.write(
            wallets.map {
                .placeHold(
                    wallet: $0, amount: Fixture.amount(1), currency: nil,
                    expiresAt: .latest, reference: "order")
            }, text: FreeText(description: "all at once"))
        try await bench.read { [self] snapshot in
            try requireEqual(try snapshot.wallets(wallets).count, count, "many wallets")
            try requireEqual(
                Set(try snapshot.holds(append.holds.map(\.id))), Set(append.holds), "many holds")
            try requireEqual(
                try snapshot.dueHolds(of: wallets, at: .latest).count, count, "many due holds")
            try requireEqual(
                Set(try snapshot.keys(append.keys.map(\.key))), Set(append.keys), "many keys")
            try requireEqual(
                Set(try snapshot.references(append.references.map(\.key))),
                Set(append.references), "many references")
            try requireEqual(
                Set(try snapshot.texts(append.texts.map(\.position))), Set(append.texts),
                "many texts")
            try requireEqual(
                try snapshot.refusals(append.keys.map(\.key)), [], "many keys without a refusal")
            try requireEqual(
                try snapshot.reversals(append.texts.map(\.position)), [],
                "many positions without a reversal")
        }
    }
}
