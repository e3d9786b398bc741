import LedgerEngine
import WalletCore

/// What moves, empties and marks a ledger as a whole.
extension LedgerStoreSuite {
    func textsArePagedAndErased(_ bench: inout Bench) async throws {
        let currency = Fixture.currency("EUR")
        for index in 1...5 {
            try await bench.write(
                [.openWallet(userID: "ada", currency: currency)],
                text: index == 3 ? FreeText() : FreeText(description: "text \(index)"))
        }
        func positions(after position: Int64, _ limit: Int) async throws -> [Int64] {
            try await bench.read { try $0.texts(after: position, limit: limit).map(\.position) }
        }
        try requireEqual(try await positions(after: 0, 3), [1, 2, 4], "the first page of texts")
        try requireEqual(try await positions(after: 4, 3), [5], "the last page of texts")
        let whole = try await bench.read { try $0.texts(after: 1, limit: 1) }
        let known = try await bench.read { try $0.texts([2]) }
        try requireEqual(whole, known, "a text of a page")
        let erased = try await bench.store.write { try $0.eraseTexts([2, 2, 3, 5, 99]) }
        try requireEqual(erased, 2, "how many texts were erased")
        try requireEqual(try await positions(after: 0, 9), [1, 4], "the texts that are left")
    }

    func refusalsArePaged(_ bench: Bench) async throws {
        let records = [0x80, 0x7F, 0xFF, 0x00, 0x81].map { first in
            RefusalRecord(
                key: Digest(first << 56, 1, 2, 3), fingerprint: .zero, recordedAt: bench.clock.now,
                requestID: "r é", refusal: Refusal(.insufficientFunds, [.init("a", .integer(1))]))
        }
        var append = Append(head: bench.scribe.head)
        append.refusals = records
        try await bench.store.write { [append] in try $0.append(append) }
        let sorted = [3, 1, 0, 4, 2].map { records[$0] }
        let first = try await bench.read { try $0.refusals(after: nil, limit: 2) }
        let rest = try await bench.read { try $0.refusals(after: first.last?.key, limit: 9) }
        try requireEqual(first, Array(sorted[..<2]), "the first page of refusals")
        try requireEqual(rest, Array(sorted[2...]), "the other refusals")
    }

    func timelineIsReplaced(_ bench: inout Bench) async throws {
        _ = try await bench.openWallets(1)
        let before = try await bench.read { try Everything($0) }
        let begun = try await bench.store.write { try $0.beginEpoch() }
        let after = try await bench.read { try Everything($0) }
        var expected = before
        expected.head.epoch = begun.epoch
        expected.epochs.append(Epoch(epoch: begun.epoch, firstPosition: 3))
        try requireEqual(after, expected, "the ledger on a new timeline")
        try require(begun.epoch > before.head.epoch, "the epoch increases")
        var head = begun
        head.ledger = LedgerID(high: 1, low: 2)
        head.epoch = 7
        let epochs = [Epoch(epoch: 7, firstPosition: 1)]
        try await bench.store.write { [head] in try $0.setTimeline(head, epochs: epochs) }
        let replaced = try await bench.read { (try $0.head(), try $0.epochs()) }
        try requireEqual(replaced.0, head, "the head that was set")
        try requireEqual(replaced.1, epochs, "the epochs that were set")
    }

    func unfinishedImportIsMarked(_ bench: Bench) async throws {
        let now = bench.clock.now
        for mark in [nil, now, now.advanced(byMicroseconds: 1), nil] {
            try await bench.store.write { try $0.setUnfinishedImport(mark) }
            let found = try await bench.read { try $0.unfinishedImport() }
            try requireEqual(found, mark, "the mark of an unfinished import")
        }
    }

    func projectionsAreClearedAndRebuilt(_ bench: inout Bench) async throws {
        let wallets = try await bench.openWallets(2)
        try await bench.write([
            .placeHold(
                wallet: wallets[0], amount: Fixture.amount(5), currency: nil, expiresAt: nil,
                reference: "hold"),
            .reverse(transaction: bench.scribe.transactions[1], amount: Fixture.amount(10)),
        ])
        let before = try await bench.read { try Everything($0) }
        var segments = Tally()
        segments.segments = before.tally.segments
        try await bench.store.write { try $0.clearProjections() }
        let cleared = try await bench.read { try Everything($0) }
        try requireEqual(cleared.tally, segments, "the rows that are left")
        try requireEqual(cleared.external, [:], "the external accounts that are left")
        try requireEqual(cleared.head, before.head, "the head after the projections are cleared")
        try requireEqual(cleared.lastSegment, before.lastSegment, "the log")
        let head = try await Rebuilder(store: bench.store).rebuild()
        try requireEqual(head, before.head, "the head of the rebuilt ledger")
        let rebuilt = try await bench.read { try Everything($0) }
        try requireEqual(rebuilt, before, "the rebuilt ledger")
        _ = try await Verifier(store: bench.store).verify()
    }

    func everythingIsCleared(_ bench: inout Bench) async throws {
        let start = bench.scribe.head
        try await bench.write(
            [.openWallet(userID: "ada", currency: Fixture.currency("EUR"))],
            text: FreeText(description: "text"))
        let key = APIKey(
            id: "key_1", hash: .zero, principal: "shop", scopes: [.read],
            createdAt: bench.clock.now, revokedAt: nil)
        try await bench.store.write { transaction in
            try transaction.insert(key)
            try transaction.setUnfinishedImport(try transaction.now())
        }
        try await bench.store.write { try $0.clearAll(leaving: start) }
        let left = try await bench.read { snapshot in
            (
                try Everything(snapshot), try snapshot.texts(after: 0, limit: 9).count,
                try snapshot.apiKeys().count, try snapshot.unfinishedImport()
            )
        }
        try requireEqual(left.0.tally, Tally(), "the rows of an emptied ledger")
        try requireEqual(left.0.head, start, "the head of an emptied ledger")
        try require(
            left.1 == 0 && left.2 == 0 && left.3 == nil, "texts, keys and the mark are gone")
        // The log of an emptied ledger is written to like any other, and as strictly.
        bench.scribe = Scribe(after: start)
        _ = try await bench.openWallets(1)
        _ = try await Verifier(store: bench.store).verify()
    }
}
