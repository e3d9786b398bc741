import LedgerEngine
import Synchronization
import Testing
import WalletCore
import WalletTesting

/// What moves or frees the money of others, hashed anew and with balances that follow: neither
/// verified, nor imported, nor rebuilt from.
@Suite struct TamperingTests {
    let ledger: SoundLedger

    init() async throws {
        ledger = try await SoundLedger()
    }

    private var ada: WalletID { ledger.scribe.wallets[0] }
    private var bob: WalletID { ledger.scribe.wallets[1] }

    /// Expects the same fault of verifying, importing and rebuilding a log that was changed so.
    private func expectRefused(
        at position: Int64, _ reason: String, _ location: SourceLocation = #_sourceLocation,
        _ change: (inout [Event]) -> Void
    ) async throws {
        let forged = ledger.forged { events in
            change(&events)
            events.makeBalancesFollow()
        }
        let verified = await #expect(throws: Verifier.Fault.self, sourceLocation: location) {
            try await Verifier(store: forged).verify()
        }
        let rebuilt = await #expect(throws: Verifier.Fault.self, sourceLocation: location) {
            try await Rebuilder(store: try await ledger.copy(of: forged)).rebuild()
        }
        for fault in [verified, rebuilt] {
            #expect(fault?.position == position, sourceLocation: location)
            #expect(fault?.reason.contains(reason) == true, sourceLocation: location)
        }
        let written = Mutex<[UInt8]>([])
        _ = try await Exporter(store: forged).export { bytes in written.withLock { $0 += bytes } }
        var lines = written.withLock { $0 }.split(separator: UInt8(ascii: "\n"))[...]
        let target = InMemoryLedgerStore(ledger: Fixture.ledger, now: { ManualClock.start })
        let imported = await #expect(throws: Importer.Fault.self, sourceLocation: location) {
            try await Importer(into: target, emptyLedger: Fixture.ledger).run {
                lines.popFirst().map(Array.init)
            }
        }
        // The first line is the header.
        #expect(imported?.line == position + 1, sourceLocation: location)
        #expect(imported?.reason.contains(reason) == true, sourceLocation: location)
    }

    @Test func copyOfAnHonestLogIsRebuilt() async throws {
        let copy = try await ledger.copy(of: ledger.forged { $0.makeBalancesFollow() })
        _ = try await Rebuilder(store: copy).rebuild()
        _ = try await Verifier(store: copy).verify()
    }

    // MARK: Holds

    @Test func releaseThatFreesTheMoneyOfAnotherIsRefused() async throws {
        try await expectRefused(at: 10, "is not open for it") { events in
            guard case .holdReleased(let hold, _, let amount, let currency) = events[9].change
            else { return }
            events[9].change = .holdReleased(
                hold: hold, wallet: bob, amount: amount, currency: currency)
            events[9].touch([bob])
        }
    }

    @Test func expiryThatFreesTheMoneyOfAnotherIsRefused() async throws {
        try await expectRefused(at: 11, "is not open for it") { events in
            guard
                case .holdExpired(let hold, _, let amount, let currency, let expiresAt) =
                    events[10].change
            else { return }
            events[10].change = .holdExpired(
                hold: hold, wallet: bob, amount: amount, currency: currency, expiresAt: expiresAt)
            events[10].touch([bob])
        }
    }

    @Test func captureThatMovesTheMoneyOfAnotherIsRefused() async throws {
        try await expectRefused(at: 9, "is not open for it") { events in
            guard case .holdCaptured(let movement, let hold, _, let released) = events[8].change
            else { return }
            events[8].change = .holdCaptured(
                movement, hold: hold, wallet: bob, released: released)
            events[8].postings = events[8].postings.swappingAccounts
            events[8].balances.reverse()
        }
        try await expectRefused(at: 9, "the accounts are not those of its type") { events in
            events[8].postings = events[8].postings.swappingAccounts
            events[8].balances.reverse()
        }
    }

    @Test func releaseOfMoreThanWasHeldOrOfAHoldThatIsNotOpenIsRefused() async throws {
        let never = HoldID(recordedAt: ManualClock.start, position: 7, entropy: 999)
        for (hold, amount) in [
            (ledger.scribe.holds[1], 21), (ledger.scribe.holds[0], 10), (never, 20),
        ] as [(HoldID, Int64)] {
            try await expectRefused(at: 10, "is not open for it") { events in
                events[9].change = .holdReleased(
                    hold: hold, wallet: ada, amount: Fixture.amount(amount),
                    currency: Fixture.currency("EUR"))
            }
        }
    }

    @Test func holdThatWasDueWhenItWasPlacedIsRefused() async throws {
        try await expectRefused(at: 6, "the hold is impossible") { events in
            events[5].change = events[5].change.expiring(at: events[5].recordedAt)
        }
    }

    // MARK: Transfers and reversals

    @Test func moneyFromAWalletToItselfIsRefused() async throws {
        try await expectRefused(at: 5, "the postings do not sum to zero") { events in
            events[4].postings = events[4].postings.map {
                Posting(account: .wallet(ada), amount: $0.amount)
            }
            events[4].touch([ada])
        }
        try await expectRefused(at: 9, "the postings do not sum to zero") { events in
            events[8].postings = events[8].postings.map {
                Posting(account: .wallet(ada), amount: $0.amount)
            }
            events[8].touch([ada])
        }
    }

    @Test func reversalOfATransactionThatNeverWasIsRefused() async throws {
        // In the place of a transfer, of a hold and of a wallet.
        for position: Int64 in [5, 6, 1] {
            let never = TransactionID(
                recordedAt: ManualClock.start, position: position, entropy: 999)
            try await expectRefused(at: 13, "does not reverse") { events in
                events.reverse(never, at: 12, amount: 30)
                events.reverse(never, at: 13, amount: 50, total: 80)
            }
        }
    }

    @Test func reversalOfAReversalIsRefused() async throws {
        let reversal = try #require(ledger.events[12].movement?.transaction)
        try await expectRefused(at: 14, "does not reverse") { events in
            events.reverse(reversal, at: 13, amount: 20)
            events[13].postings = events[13].postings.swappingAccounts
            events[13].balances.reverse()
        }
    }

    @Test func reversalWithOtherPartiesOrBeyondItsAmountIsRefused() async throws {
        try await expectRefused(at: 13, "does not reverse") { events in
            events[12].postings = events[12].postings.swappingAccounts
            events[12].balances.reverse()
        }
        try await expectRefused(at: 13, "does not reverse") { events in
            events[12].postings[0].account = .external(Fixture.currency("EUR"))
            events[12].touch([ada])
        }
        let transfer = ledger.scribe.transactions[2]
        try await expectRefused(at: 14, "does not reverse") { events in
            events.reverse(transfer, at: 13, amount: 71, total: 101)
        }
        try await expectRefused(at: 14, "the reversed total does not follow") { events in
            events.reverse(transfer, at: 13, amount: 71, total: 71)
        }
    }
}

extension [Event] {
    /// Makes the reversal there one of another transaction or amount.
    fileprivate mutating func reverse(
        _ original: TransactionID, at index: Int, amount: Int64, total: Int64? = nil
    ) {
        guard case .reversed(var movement, _, _) = self[index].change else { return }
        movement.amount = Fixture.amount(amount)
        self[index].change = .reversed(
            movement, reverses: original, reversedTotal: total ?? amount)
        self[index].postings[0].amount = -amount
        self[index].postings[1].amount = amount
    }
}

extension SoundLedger {
    /// Another store with the log of a forged one, and nothing else of it.
    fileprivate func copy(of forged: AlteredLedgerStore) async throws -> InMemoryLedgerStore {
        let copy = InMemoryLedgerStore(ledger: Fixture.ledger, now: { ManualClock.start })
        for original in segments {
            let (segment, end) = try await forged.read { snapshot in
                (try snapshot.segment(containing: original.firstPosition), try snapshot.head())
            }
            let written = try #require(segment)
            let last = try #require(try written.record(at: written.lastPosition))
            var head = end
            head.position = last.position
            head.hash = last.hash
            head.recordedAt = written.recordedAt
            var append = Append(head: head)
            append.segment = written
            try await copy.write { [append] in try $0.append(append) }
        }
        return copy
    }
}
