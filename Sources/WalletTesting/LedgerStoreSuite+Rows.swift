import LedgerEngine
import WalletCore

/// Texts that people take for one another, and a database must not.
private let lookalikes = [
    "alice", "Alice", "ALICE", "álice", "a\u{301}lice", "alice ", " alice", "alice\t",
    "al\u{200D}ice",
    "ａlice", "😀", "😀️", "straße", "strasse", "ı", "i", "I", "'; DROP TABLE log; --", "a%", "a_",
]

/// Wallets, entries, holds and what lies beside them.
extension LedgerStoreSuite {
    func walletsAreFoundAndPaged(_ bench: inout Bench) async throws {
        let first = try await bench.openWallets(5, user: "ada")
        let others = try await bench.openWallets(2, user: "bob")
        let later = try await bench.openWallets(2, user: "ada")
        let all = bench.scribe.state.wallets
        let unknown = WalletID(recordedAt: ManualClock.start, position: 9_999, entropy: 1)
        try await bench.read { [self] snapshot in
            let found = try snapshot.wallets([later[0], unknown, first[2], first[2]])
            try requireEqual(
                Set(found), Set([all[later[0]], all[first[2]]].compactMap(\.self)),
                "wallets by identifier")
            try requireEqual(found.count, 2, "wallets by identifier, one of them asked for twice")
            try requireEqual(try snapshot.wallets([]), [], "wallets by no identifier")

            func page(_ after: WalletID?, _ limit: Int) throws -> [WalletID] {
                try snapshot.wallets(ofUser: "ada", after: after, limit: limit).map(\.id)
            }
            try requireEqual(try page(nil, 3), Array(first[..<3]), "a user's first page")
            try requireEqual(
                try page(first[2], 3), [first[3], first[4], later[0]], "a user's second page")
            try requireEqual(try page(later[0], 3), [later[1]], "a user's last page")
            try requireEqual(try page(later[1], 3), [], "the page after a user's last")
            try requireEqual(
                try page(others[0], 9), later, "a user's page after someone else's wallet")
            try requireEqual(
                try snapshot.wallets(ofUser: "eve", after: nil, limit: 3), [], "nobody's wallets")

            try requireEqual(
                try snapshot.wallets(after: nil, limit: 99).map(\.id), first + others + later,
                "all wallets")
            try requireEqual(
                try snapshot.wallets(after: first[4], limit: 3).map(\.id), others + [later[0]],
                "a page of all wallets")
        }
    }

    func userIDsAreComparedByteByByte(_ bench: inout Bench) async throws {
        var owners: [(user: String, wallet: WalletID)] = []
        for user in lookalikes {
            owners.append((user, try await bench.openWallets(1, user: user)[0]))
        }
        let expected = owners
        try await bench.read { [self] snapshot in
            for (user, wallet) in expected {
                let found = try snapshot.wallets(ofUser: user, after: nil, limit: 10)
                try requireEqual(found.map(\.id), [wallet], "the wallets of \(Array(user.utf8))")
                try requireEqual(
                    found.map { Array($0.userID.utf8) }, [Array(user.utf8)], "the bytes of a user")
            }
        }
    }

    func referencesAreComparedByteByByte(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1)[0]
        for reference in lookalikes {
            // Were two of them one, the second would be refused.
            try await bench.write([
                .deposit(
                    wallet: wallet, amount: Fixture.amount(1), currency: nil, reference: reference)
            ])
        }
        let state = bench.scribe.state
        try requireEqual(state.references.count, lookalikes.count, "what the scribe keeps")
        try await bench.read { [self] snapshot in
            for reference in lookalikes {
                let key = ReferenceKey(
                    wallet: wallet, scope: Fixture.shop.scope, reference: reference)
                let use = state.references[key]
                try requireEqual(
                    try snapshot.references([key]).map(\.use), [use].compactMap(\.self),
                    "the use of \(Array(reference.utf8))")
                try requireEqual(
                    try snapshot.references(of: wallet, Array(reference.utf8), limit: 10),
                    [use].compactMap(\.self), "every use of \(Array(reference.utf8))")
            }
        }
    }

    func referencesBelongToTheirCaller(_ bench: inout Bench) async throws {
        let wallets = try await bench.openWallets(2)
        // Users pay from their own wallets, so they can differ by their issuers only.
        let callers: [Actor] = [
            .apiKey(id: "key_1", principal: "shop"), .apiKey(id: "key_2", principal: "depot"),
            .user(issuer: "ab", subject: "ada"), .user(issuer: "a", subject: "ada"),
        ]
        for caller in callers {
            for (from, to) in [(wallets[0], wallets[1]), (wallets[1], wallets[0])] {
                try await bench.write(
                    [
                        .transfer(
                            from: from, to: to, amount: Fixture.amount(1), currency: nil,
                            reference: "order")
                    ], by: caller)
            }
        }
        let state = bench.scribe.state
        let keys = callers.map {
            ReferenceKey(wallet: wallets[1], scope: $0.scope, reference: "order")
        }
        let missing = ReferenceKey(wallet: wallets[1], scope: [1, 2, 3], reference: "order")
        try await bench.read { [self] snapshot in
            let found = try snapshot.references(keys + [missing])
            try requireEqual(
                Set(found),
                Set(
                    keys.compactMap { key in
                        state.references[key].map { ReferenceRecord(key: key, use: $0) }
                    }), "the references by caller")
            let uses = try snapshot.references(of: wallets[1], Array("order".utf8), limit: 10)
            try requireEqual(
                uses, keys.compactMap { state.references[$0] }, "all callers' uses, oldest first")
            try requireEqual(
                try snapshot.references(of: wallets[1], Array("order".utf8), limit: 2),
                Array(uses.prefix(2)), "the first uses")
        }
    }

    func entriesAreListed(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1)[0]
        let other = try await bench.openWallets(1)[0]
        for index in 0..<10 {
            bench.clock.advance(byMicroseconds: 1_000)
            let amount = Fixture.amount(Int64(index + 1))
            let command: Command =
                index % 2 == 0
                ? .withdraw(wallet: wallet, amount: amount, currency: nil, reference: nil)
                : .transfer(from: other, to: wallet, amount: amount, currency: nil, reference: nil)
            try await bench.write([command], at: bench.clock.now)
        }
        let all = bench.scribe.events.flatMap { Entry.entries(of: $0) }
            .filter { $0.wallet == wallet }
        try requireEqual(all.count, 12, "what the scribe wrote")
        try await bench.read { [self] snapshot in
            func entries(_ change: (inout EntryQuery) -> Void) throws -> [Entry] {
                var query = EntryQuery(
                    types: EventType.allCases, from: .earliest, until: .latest, isAscending: true,
                    limit: 100)
                change(&query)
                return try snapshot.entries(of: wallet, query).entries
            }
            try requireEqual(try entries { _ in }, all, "all entries")
            try requireEqual(
                try entries { $0.isAscending = false }, all.reversed(), "entries, latest first")
            try requireEqual(try entries { $0.limit = 3 }, Array(all[..<3]), "a first page")
            try requireEqual(
                try entries {
                    $0.isAscending = false
                    $0.limit = 2
                    $0.until = all[9].recordedAt
                }, [all[8], all[7]], "a page backwards, which ends before its bound")
            try requireEqual(
                try entries {
                    $0.from = all[3].recordedAt
                    $0.until = all[6].recordedAt
                }, Array(all[3..<6]), "a period, from inclusive, until exclusive")
            try requireEqual(
                try entries {
                    $0.from = all[3].recordedAt.advanced(byMicroseconds: 1)
                    $0.until = all[6].recordedAt.advanced(byMicroseconds: 1)
                }, Array(all[4...6]), "a period a microsecond later")
            for type in EventType.allCases {
                try requireEqual(
                    try entries { $0.types = [type] }, all.filter { $0.type == type },
                    "entries of type \(type.name)")
            }
            try requireEqual(
                try entries {
                    $0.types = [.deposited, .transferred]
                    $0.limit = 4
                }, Array(all.filter { [.deposited, .transferred].contains($0.type) }.prefix(4)),
                "the first entries of two types")
            try requireEqual(try entries { $0.types = [] }, [], "entries of no type")
        }
        try await entriesAreLookedAtUpToALimit(bench, wallet, all)
    }

    private func entriesAreLookedAtUpToALimit(
        _ bench: Bench, _ wallet: WalletID, _ all: [Entry]
    ) async throws {
        try await bench.read { [self] snapshot in
            for isAscending in [true, false] {
                var query = EntryQuery(
                    types: [.withdrawn], from: .earliest, until: .latest,
                    isAscending: isAscending, limit: 4)
                query.scanLimit = 3
                var found: [Entry] = []
                var pages = 0
                while true {
                    let page = try snapshot.entries(of: wallet, query)
                    found += page.entries
                    pages += 1
                    guard let last = page.scannedTo else { break }
                    if isAscending {
                        query.from = last.advanced(byMicroseconds: 1)
                    } else {
                        query.until = last
                    }
                }
                let expected = all.filter { $0.type == .withdrawn }
                try requireEqual(
                    found, isAscending ? expected : expected.reversed(), "entries page by page")
                // Twelve entries, three at a time, and a look behind the last.
                try requireEqual(pages, 5, "pages")
            }
            var query = EntryQuery(
                types: EventType.allCases, from: .earliest, until: .latest, isAscending: true,
                limit: 3)
            query.scanLimit = 3
            try requireEqual(
                try snapshot.entries(of: wallet, query),
                EntryPage(entries: Array(all[..<3]), scannedTo: nil), "a page that is full")
        }
    }

    func lastEntryIsExact(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(1)[0]
        var times = bench.scribe.events.map(\.recordedAt)
        for gap: Int64 in [1, 2, 10, 1_000_000] {
            let time = bench.scribe.head.recordedAt.advanced(byMicroseconds: gap)
            times.append(time)
            try await bench.write(
                [
                    .withdraw(
                        wallet: wallet, amount: Fixture.amount(gap % 7 + 1), currency: nil,
                        reference: nil)
                ], at: time)
        }
        let instants = times
        let entries = bench.scribe.events.flatMap { Entry.entries(of: $0) }
        try requireEqual(entries.map(\.recordedAt), times, "the times of the entries")
        try await bench.read { [self] snapshot in
            for time in instants {
                for offset: Int64 in [-1, 0, 1] {
                    let instant = time.advanced(byMicroseconds: offset)
                    try requireEqual(
                        try snapshot.lastEntry(of: wallet, at: instant),
                        entries.last { $0.recordedAt <= instant },
                        "the last entry at \(instant.microseconds)")
                }
            }
            try requireEqual(
                try snapshot.lastEntry(of: wallet, at: .latest), entries.last, "the last entry")
            try requireEqual(
                try snapshot.lastEntry(of: wallet, at: .earliest), nil, "an entry before all")
        }
    }

    private func hold(_ wallet: WalletID, _ amount: Int64, until: Instant?) -> Command {
        .placeHold(
            wallet: wallet, amount: Fixture.amount(amount), currency: nil, expiresAt: until,
            reference: nil)
    }

    func holdsFallDue(_ bench: inout Bench) async throws {
        let wallets = try await bench.openWallets(3)
        let due = bench.clock.now.advanced(byMicroseconds: 1_000_000)
        try await bench.write([
            hold(wallets[0], 1, until: due),
            hold(wallets[0], 2, until: due.advanced(byMicroseconds: 1)),
            hold(wallets[0], 3, until: nil), hold(wallets[1], 4, until: due),
            hold(wallets[0], 5, until: due), hold(wallets[2], 6, until: due),
        ])
        let holds = bench.scribe.holds
        try await bench.write([
            .releaseHold(hold: holds[4]),
            .captureHold(hold: holds[5], amount: Fixture.amount(2), to: nil),
        ])
        let state = bench.scribe.state
        try await bench.read { [self] snapshot in
            func dueHolds(_ ids: [WalletID], after offset: Int64) throws -> Set<HoldID> {
                let found = try snapshot.dueHolds(
                    of: ids, at: due.advanced(byMicroseconds: offset))
                for hold in found { try requireEqual(hold, state.holds[hold.id], "a due hold") }
                return Set(found.map(\.id))
            }
            try requireEqual(try dueHolds(wallets, after: -1), [], "holds before they are due")
            try requireEqual(
                try dueHolds(wallets, after: 0), [holds[0], holds[3]], "holds that are due")
            try requireEqual(
                try dueHolds([wallets[0]], after: 1), [holds[0], holds[1]],
                "one wallet's due holds")
            try requireEqual(try dueHolds([], after: 1), [], "the due holds of no wallet")
            let all = try snapshot.holds(holds)
            try requireEqual(
                Set(all), Set(holds.compactMap { state.holds[$0] }), "holds, closed ones too")
        }
    }

    func overdueHoldsComeOldestFirst(_ bench: inout Bench) async throws {
        let wallets = try await bench.openWallets(2)
        let due = bench.clock.now.advanced(byMicroseconds: 1_000_000)
        try await bench.write([
            hold(wallets[0], 1, until: due.advanced(byMicroseconds: 2)),
            hold(wallets[1], 2, until: due), hold(wallets[0], 3, until: nil),
            hold(wallets[0], 4, until: due), hold(wallets[1], 5, until: due),
            hold(wallets[1], 6, until: due.advanced(byMicroseconds: 1)),
        ])
        let holds = bench.scribe.holds
        try await bench.write([.releaseHold(hold: holds[4])])
        let state = bench.scribe.state
        try await bench.read { [self] snapshot in
            func overdue(after offset: Int64, limit: Int = 9) throws -> [HoldID] {
                let found = try snapshot.dueHolds(
                    at: due.advanced(byMicroseconds: offset), limit: limit)
                for hold in found { try requireEqual(hold, state.holds[hold.id], "a due hold") }
                return found.map(\.id)
            }
            try requireEqual(try overdue(after: -1), [], "holds before they are due")
            try requireEqual(try overdue(after: 0), [holds[1], holds[3]], "holds that are due")
            try requireEqual(
                try overdue(after: 2), [holds[1], holds[3], holds[5], holds[0]],
                "holds in the order in which they were due")
            try requireEqual(
                try overdue(after: 2, limit: 3), [holds[1], holds[3], holds[5]],
                "as many due holds as were asked for")
        }
    }

    func keysAreFound(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(3)[0]
        let append = try await bench.write(
            (1...20).map {
                .deposit(
                    wallet: wallet, amount: Fixture.amount($0), currency: nil, reference: nil)
            })
        let unknown = Digest.sha256([1])
        let asked = append.keys.map(\.key)
        try await bench.read { [self] snapshot in
            let found = try snapshot.keys(asked + [unknown] + asked)
            try requireEqual(Set(found), Set(append.keys), "the keys")
            try requireEqual(found.count, append.keys.count, "keys that were asked for twice")
            try requireEqual(try snapshot.keys([unknown]), [], "a key that is not known")
            try requireEqual(try snapshot.keys([]), [], "no keys")
        }
    }

    func refusalsAreKeptAndForgotten(_ bench: Bench) async throws {
        let head = bench.scribe.head
        let records = (0..<10).map { index in
            RefusalRecord(
                key: .sha256([UInt8(index)]), fingerprint: .sha256([UInt8(index), 1]),
                recordedAt: bench.clock.now.advanced(byMicroseconds: Int64(index)),
                requestID: "request-\(index) é",
                refusal: Refusal(
                    .insufficientFunds,
                    [
                        .init("available", .integer(Int64(index))),
                        .init("walletId", .text("\"quoted\" \u{1F600}\n")),
                    ]))
        }
        var append = Append(head: head)
        append.refusals = records
        let written = append
        try await bench.store.write { try $0.append(written) }
        let keys = records.map(\.key)
        let store = bench.store
        func left() async throws -> Set<RefusalRecord> {
            let found = try await store.read { try $0.refusals(keys + [.sha256([99])] + keys) }
            try requireEqual(found.count, Set(found).count, "refusals that were asked for twice")
            return Set(found)
        }
        func prune(before index: Int, atMost limit: Int, forgets expected: Int) async throws {
            let count = try await store.write {
                try $0.pruneRefusals(recordedBefore: records[index].recordedAt, atMost: limit)
            }
            try requireEqual(count, expected, "how many refusals were forgotten")
        }
        try requireEqual(try await left(), Set(records), "the refusals")
        let after = try await store.read { try $0.head() }
        try requireEqual(after, head, "the head, which refusals do not move")
        try await prune(before: 0, atMost: 100, forgets: 0)
        try requireEqual(try await left(), Set(records), "refusals, none of them old")
        try await prune(before: 6, atMost: 100, forgets: 6)
        try requireEqual(try await left(), Set(records[6...]), "refusals that are not old")
        try await prune(before: 9, atMost: 2, forgets: 2)
        try requireEqual(try await left().count, 2, "refusals, of which two were to be forgotten")
        try require(try await left().contains(records[9]), "a refusal that is not old is kept")
    }

    func reversalsAreAddedUp(_ bench: inout Bench) async throws {
        _ = try await bench.openWallets(2)
        let deposits = bench.scribe.transactions
        let position = deposits[0].embeddedPosition
        try await bench.write([.reverse(transaction: deposits[0], amount: Fixture.amount(100))])
        let store = bench.store
        func found() async throws -> [ReversalRecord] {
            try await store.read {
                try $0.reversals([position, position, deposits[1].embeddedPosition, 77])
            }
        }
        try requireEqual(
            try await found(), [ReversalRecord(position: position, reversedAmount: 100)],
            "what was reversed at first")
        try await bench.write([.reverse(transaction: deposits[0], amount: Fixture.amount(30))])
        try requireEqual(
            try await found(), [ReversalRecord(position: position, reversedAmount: 130)],
            "what was reversed at last")
    }

    func textsAreKeptWithTheirBytes(_ bench: inout Bench) async throws {
        let texts = [
            FreeText(description: "café cafe\u{301} 😀 \"'\\ \u{0}\u{1}\u{7F} \u{2028}"),
            FreeText(metadata: ["é": "composed", "z": "", "": "empty key"]),
            FreeText(description: "", metadata: ["a": "b"]),
            FreeText(description: String(repeating: "ü", count: 2_000)),
        ]
        let currency = Fixture.currency("EUR")
        for text in texts {
            try await bench.write([.openWallet(userID: "ada", currency: currency)], text: text)
        }
        try await bench.write([.openWallet(userID: "ada", currency: currency)])
        let events = bench.scribe.events
        try await bench.read { [self] snapshot in
            let found = try snapshot.texts(events.map(\.position) + [1, 99])
                .sorted { $0.position < $1.position }
            try requireEqual(found.map(\.position), [1, 2, 3, 4], "the positions with text")
            for (record, text) in zip(found, texts) {
                try requireEqual(
                    record.text.text.canonicalBytes, text.canonicalBytes, "the bytes of a text")
                try requireEqual(
                    record.text.commitment, events[Int(record.position) - 1].text,
                    "what the event commits to")
            }
        }
    }

    func externalSumsAreReplaced(_ bench: inout Bench) async throws {
        let wallet = try await bench.openWallets(2, currency: "EUR", amount: 700)[0]
        _ = try await bench.openWallets(1, currency: "JPY", amount: 5)
        try await bench.write([
            .withdraw(wallet: wallet, amount: Fixture.amount(100), currency: nil, reference: nil)
        ])
        let found = try await bench.read { try $0.externalBalances() }
        try requireEqual(
            found, [Fixture.currency("EUR"): -1_300, Fixture.currency("JPY"): -5],
            "the external accounts")
    }

    func apiKeysAreKeptAndRevoked(_ bench: Bench) async throws {
        let keys = [2, 1, 3].map { index in
            APIKey(
                id: "key_\(index)", hash: .sha256([UInt8(index)]), principal: "shop é",
                scopes: [.read, .admin],
                createdAt: bench.clock.now.advanced(byMicroseconds: Int64(index)), revokedAt: nil)
        }
        let now = bench.clock.now
        let store = bench.store
        for key in keys { try await store.write { try $0.insert(key) } }
        let found = try await store.read { try $0.apiKeys() }
        try requireEqual(found, [keys[1], keys[0], keys[2]], "the API keys, oldest first")
        let revocations = try await store.write { transaction in
            [
                try transaction.revokeAPIKey(id: "key_2", at: now),
                try transaction.revokeAPIKey(
                    id: "key_2", at: now.advanced(byMicroseconds: 1)),
                try transaction.revokeAPIKey(id: "key_9", at: now),
                try transaction.revokeAPIKey(id: "KEY_1", at: now),
            ]
        }
        try requireEqual(revocations, [true, false, false, false], "whether keys were revoked")
        let byHash = try await store.read { snapshot in
            (
                try snapshot.apiKey(hash: keys[0].hash), try snapshot.apiKey(hash: keys[1].hash),
                try snapshot.apiKey(hash: .sha256([99]))
            )
        }
        var revoked = keys[0]
        revoked.revokedAt = now
        try requireEqual(byHash.0, revoked, "the revoked API key, with the time of the first try")
        try requireEqual(byHash.1, keys[1], "the API key that is in force")
        try requireEqual(byHash.2, nil, "an API key that is not known")
    }
}
