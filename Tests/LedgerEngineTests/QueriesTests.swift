import LedgerEngine
import Testing
import WalletCore
import WalletTesting

@Suite struct QueriesTests {
    let ledger: SoundLedger
    let queries: Queries

    init() async throws {
        let ledger = try await SoundLedger()
        self.ledger = ledger
        // Now is a second after the last event.
        ledger.clock.advance(byMicroseconds: 2_000_000)
        queries = Queries(store: ledger.store, now: { ledger.clock.now })
    }

    private var ada: WalletID { ledger.scribe.wallets[0] }
    private var bob: WalletID { ledger.scribe.wallets[1] }

    // MARK: Balances

    /// The numbers at an instant as the events say, with holds gone from the instant they expire.
    private func expected(
        _ wallet: WalletID, at instant: Instant
    ) -> (total: Int64, held: Int64, version: Int64) {
        var numbers: (total: Int64, held: Int64, version: Int64) = (0, 0, 0)
        var expiring: [HoldID: (amount: Int64, expiresAt: Instant)] = [:]
        for event in ledger.events where event.recordedAt <= instant {
            for balance in event.balances where balance.wallet == wallet {
                numbers = (balance.total, balance.held, balance.version)
            }
            switch event.change {
            case .holdPlaced(let id, wallet, let amount, _, let expiresAt?, _):
                expiring[id] = (amount.minorUnits, expiresAt)
            case .holdCaptured(_, let id, _, _), .holdReleased(let id, _, _, _),
                .holdExpired(let id, _, _, _, _):
                expiring[id] = nil
            default:
                break
            }
        }
        for hold in expiring.values where hold.expiresAt <= instant {
            numbers.held -= hold.amount
            // Its event, the next one of the wallet, is counted as if it had been recorded.
            numbers.version += 1
        }
        return numbers
    }

    @Test func balanceIsExactAtEveryMicrosecondAroundEveryEvent() async throws {
        for wallet in ledger.scribe.wallets {
            for event in ledger.events {
                for offset: Int64 in -2...2 {
                    let instant = event.recordedAt.advanced(byMicroseconds: offset)
                    let found = try #require(
                        try await queries.balance(of: wallet, at: instant, after: nil).value)
                    let expected = expected(wallet, at: instant)
                    #expect(
                        (found.total, found.held, found.version) == expected,
                        "\(instant.microseconds - ManualClock.start.microseconds) µs")
                    #expect(found.at == instant)
                    #expect(found.existed == (expected.version > 0))
                }
            }
        }
    }

    @Test func balanceIsFinalUpToTheHead() async throws {
        let head = ledger.scribe.head.recordedAt
        for (offset, isFinal) in [(-1, true), (0, true), (1, false)] as [(Int64, Bool)] {
            let found = try await queries.balance(
                of: ada, at: head.advanced(byMicroseconds: offset), after: nil)
            #expect(found.value?.isFinal == isFinal)
        }
    }

    @Test func balanceNowIsThatOfTheHeadUnlessAHoldHasExpiredSince() async throws {
        var scribe = ledger.scribe
        let expiry = ledger.clock.now.advanced(byMicroseconds: 500)
        let append = try scribe.append([hold(bob, 7, until: expiry)])
        try await ledger.store.write { try $0.append(append) }
        let head = scribe.head.recordedAt
        for (step, held, isFinal) in [(499, 7, true), (1, 0, false)] as [(Int64, Int64, Bool)] {
            ledger.clock.advance(byMicroseconds: step)
            let found = try #require(
                try await queries.balance(of: bob, at: nil, after: nil).value)
            #expect(found.isFinal == isFinal)
            #expect(found.at == (isFinal ? head : ledger.clock.now))
            #expect(found.held == held)
            // What it says is what its instant says, then and later.
            let same = try await queries.balance(of: bob, at: found.at, after: nil).value
            #expect(same?.version == found.version && same?.held == held)
            #expect(same?.isFinal == isFinal)
        }
    }

    @Test func balanceBeforeTheWalletWasOpenedIsZero() async throws {
        let found = try await queries.balance(of: ada, at: .earliest, after: nil).value
        #expect(found?.existed == false)
        #expect(found?.total == 0 && found?.held == 0 && found?.version == 0)
        #expect(found?.currency == Fixture.currency("EUR"))
    }

    @Test func instantAfterNowIsRefused() async throws {
        let now = ledger.clock.now
        _ = try await queries.balance(of: ada, at: now, after: nil)
        await #expect(throws: QueryError.futureTimestamp(ConsistencyToken(ledger.scribe.head))) {
            try await queries.balance(
                of: ada, at: now.advanced(byMicroseconds: 1), after: nil)
        }
    }

    /// With a clock behind the head, the head is the present.
    @Test func instantOfTheHeadIsNotInTheFutureWhateverTheClockSays() async throws {
        ledger.clock.advance(byMicroseconds: -10_000_000)
        let head = ledger.scribe.head.recordedAt
        let found = try await queries.balance(of: ada, at: head, after: nil).value
        #expect(found?.total == ledger.scribe.state.wallets[ada]?.total)
        await #expect(throws: QueryError.futureTimestamp(ConsistencyToken(ledger.scribe.head))) {
            try await queries.balance(
                of: ada, at: head.advanced(byMicroseconds: 1), after: nil)
        }
        let now = try await queries.balance(of: ada, at: nil, after: nil).value
        #expect(now?.isFinal == true && now?.at == head)
    }

    @Test func holdsThatHaveExpiredAreNoLongerShownThoughNothingIsRecorded() async throws {
        var scribe = ledger.scribe
        let expiry = ledger.clock.now.advanced(byMicroseconds: 500)
        let append = try scribe.append([hold(bob, 7, until: expiry), hold(bob, 9, until: nil)])
        try await ledger.store.write { try $0.append(append) }
        let position = scribe.head.position
        let recorded = try #require(scribe.state.wallets[bob]).version
        for (step, held) in [(499, 16), (1, 9), (1_000_000, 9)] as [(Int64, Int64)] {
            ledger.clock.advance(byMicroseconds: step)
            let version = recorded + (held == 16 ? 0 : 1)
            let wallet = try await queries.wallet(bob, after: nil).value?.wallet
            #expect(wallet?.held == held && wallet?.version == version)
            let balance = try await queries.balance(of: bob, at: nil, after: nil).value
            #expect(balance?.held == held && balance?.version == version)
            let views = try await queries.wallets(
                ofUser: "bob", startingAfter: nil, limit: 5, after: nil
            ).value
            #expect(views.map(\.wallet.held) == [held])
            #expect(views.map(\.wallet.version) == [version])
            let atInstant = try await queries.balance(
                of: bob, at: ledger.clock.now, after: nil)
            #expect(atInstant.value?.held == held)
            #expect(atInstant.value?.version == version)
        }
        #expect(try await queries.head().position == position)
    }

    // MARK: Wallets

    @Test func walletIsShownWithItsText() async throws {
        let found = try await queries.wallet(ada, after: nil)
        #expect(found.value?.wallet == ledger.scribe.state.wallets[ada])
        #expect(found.value?.text == FreeText(description: "a text", metadata: ["a": "b"]))
        #expect(found.token == ConsistencyToken(ledger.scribe.head))
        let third = try await queries.wallet(ledger.scribe.wallets[2], after: nil)
        #expect(third.value?.text == FreeText())
        let both = try await queries.wallets(
            ofUser: "ada", startingAfter: nil, limit: 5, after: nil
        ).value
        #expect(both.map(\.wallet.id) == [ada, ledger.scribe.wallets[2]])
        #expect(both.map(\.text.isEmpty) == [false, true])
    }

    @Test func whatDoesNotExistIsNil() async throws {
        let unknown = WalletID(high: 1, low: 1)
        #expect(try await queries.wallet(unknown, after: nil).value == nil)
        #expect(try await queries.balance(of: unknown, at: nil, after: nil).value == nil)
        #expect(
            try await queries.balance(of: unknown, at: .earliest, after: nil).value == nil)
        #expect(try await queries.history(of: unknown, query(), after: nil).value == nil)
    }

    // MARK: Tokens

    private func isKnown(_ token: ConsistencyToken, to queries: Queries) async throws -> Bool {
        do {
            _ = try await queries.wallet(ada, after: token)
            return true
        } catch QueryError.unknownToken {
            return false
        }
    }

    @Test func tokenIsKnownUpToTheHeadOfItsTimeline() async throws {
        let head = ledger.scribe.head
        let expected: [(Int64, Int64, Bool)] = [
            (0, 0, true), (0, 1, true), (0, head.position, true), (0, head.position + 1, false),
            (0, .max, false), (1, 5, false), (-1, 5, false), (1, 0, false),
        ]
        for (epoch, position, isKnown) in expected {
            let token = ConsistencyToken(epoch: head.epoch + epoch, position: position)
            #expect(try await self.isKnown(token, to: queries) == isKnown)
        }
    }

    /// The second timeline began after position 9, so what the first one had after that is lost.
    @Test func tokenOfALostTimelineIsUnknown() async throws {
        let first = ledger.scribe.head.epoch
        let store = AlteredLedgerStore(ledger.store) { alteration in
            alteration.epochs = { _ in
                [
                    Epoch(epoch: first, firstPosition: 1),
                    Epoch(epoch: first + 10, firstPosition: 10),
                    Epoch(epoch: first + 20, firstPosition: 15),
                ]
            }
            alteration.head = { head in
                var head = head
                head.epoch += 20
                return head
            }
        }
        let queries = Queries(store: store, now: { ManualClock.start })
        let expected: [(Int64, Int64, Bool)] = [
            (0, 0, true), (0, 9, true), (0, 10, false), (0, 18, false),
            (10, 8, false), (10, 9, true), (10, 14, true), (10, 15, false),
            (20, 13, false), (20, 14, true), (20, 18, true), (20, 19, false), (15, 10, false),
        ]
        for (epoch, position, isKnown) in expected {
            let token = ConsistencyToken(epoch: first + epoch, position: position)
            #expect(
                try await self.isKnown(token, to: queries) == isKnown, "\(epoch), \(position)")
        }
    }

    @Test func everyReadingRefusesAnUnknownToken() async throws {
        let token = ConsistencyToken(
            epoch: ledger.scribe.head.epoch, position: ledger.scribe.head.position + 1)
        let transaction = ledger.scribe.transactions[0]
        let queries = queries
        let (ada, query) = (ada, query())
        let readings: [@Sendable () async throws -> Void] = [
            { _ = try await queries.wallet(ada, after: token) },
            {
                _ = try await queries.wallets(
                    ofUser: "ada", startingAfter: nil, limit: 1, after: token)
            },
            { _ = try await queries.balance(of: ada, at: nil, after: token) },
            { _ = try await queries.history(of: ada, query, after: token) },
            { _ = try await queries.transaction(transaction, after: token) },
            { _ = try await queries.log(after: 0, limit: 1, token: token) },
        ]
        for reading in readings {
            await #expect(throws: QueryError.unknownToken) { try await reading() }
        }
    }

    // MARK: History

    private func query(
        _ change: (inout EntryQuery) -> Void = { _ in }
    ) -> EntryQuery {
        var query = EntryQuery(
            types: EventType.allCases.filter(\.isTransaction), from: .earliest, until: .latest,
            isAscending: true, limit: 100)
        change(&query)
        return query
    }

    private func history(
        _ wallet: WalletID, _ change: (inout EntryQuery) -> Void = { _ in }
    ) async throws -> [HistoryItem] {
        try #require(try await queries.history(of: wallet, query(change), after: nil).value).items
    }

    @Test func historyShowsEveryMovementWithItsTransaction() async throws {
        let items = try await history(ada)
        #expect(items.map(\.entry.position) == [3, 5, 9, 12, 13, 14])
        #expect(items.map(\.entry.change) == [1_000, -100, -4, 1, 30, 50])
        for item in items {
            #expect(item.transaction.event == ledger.events[Int(item.entry.position) - 1])
        }
        #expect(items.map(\.transaction.reversedAmount) == [0, 80, 0, 0, 0, 0])
        let theirs = try await history(bob)
        #expect(theirs.map(\.entry.change) == [500, 100, 4, -30, -50])
    }

    @Test(arguments: [true, false], 1...4)
    func pagesPutTogetherAreTheWholeHistory(_ isAscending: Bool, _ limit: Int) async throws {
        let whole = try await history(ada) { $0.isAscending = isAscending }
        var pages: [HistoryItem] = []
        while true {
            let page = try await history(ada) { query in
                query.isAscending = isAscending
                query.limit = limit
                guard let last = pages.last?.entry.recordedAt else { return }
                if isAscending {
                    query.from = last.advanced(byMicroseconds: 1)
                } else {
                    query.until = last
                }
            }
            #expect(page.count <= limit)
            if page.isEmpty { break }
            pages += page
        }
        #expect(pages.map(\.entry) == whole.map(\.entry))
        #expect(whole.count == 6)
    }

    @Test func historyIsFilteredByTypeAndPeriod() async throws {
        let reversals = try await history(ada) { $0.types = [.reversed] }
        #expect(reversals.map(\.entry.position) == [13, 14])
        let times = ledger.events.map(\.recordedAt)
        let period = try await history(ada) { query in
            query.from = times[4]
            query.until = times[12]
        }
        #expect(period.map(\.entry.position) == [5, 9, 12])
    }

    @Test func historyIsFilteredByReferenceByteByByte() async throws {
        #expect(
            try await history(ada) { $0.reference = "order" }.map(\.entry.position) == [3])
        for other in ["Order", "order ", "", "orde"] {
            #expect(try await history(ada) { $0.reference = other }.isEmpty)
        }
        #expect(try await history(bob) { $0.reference = "order" }.isEmpty)
        #expect(
            try await history(ada) { query in
                query.reference = "order"
                query.types = [.withdrawn]
            }.isEmpty)
    }

    @Test func historyOfSeveralUsesOfAReferenceIsSortedAndLimited() async throws {
        var scribe = ledger.scribe
        for principal in ["c", "d", "e"] {
            let append = try scribe.append(
                [deposit(ada, 1, reference: "order")],
                by: .apiKey(id: "key_1", principal: principal))
            try await ledger.store.write { try $0.append(append) }
        }
        let ascending = try await history(ada) { $0.reference = "order" }
        #expect(ascending.map(\.entry.position) == [3, 19, 20, 21])
        let descending = try await history(ada) { query in
            query.reference = "order"
            query.isAscending = false
            query.limit = 2
        }
        #expect(descending.map(\.entry.position) == [21, 20])
    }

    // MARK: Transactions and the log

    @Test func transactionIsFoundByItsIdentifierAlone() async throws {
        for transaction in ledger.scribe.transactions {
            let found = try #require(
                try await queries.transaction(transaction, after: nil).value)
            #expect(found.event.movement?.transaction == transaction)
        }
        let transfer = ledger.scribe.transactions[2]
        #expect(
            try await queries.transaction(transfer, after: nil).value?.reversedAmount == 80)
    }

    @Test func identifierThatIsNoTransactionOfThisLedgerIsNil() async throws {
        let known = ledger.scribe.transactions[2]
        let opening = ledger.events[0]
        let others = [
            TransactionID(high: 0, low: 0), TransactionID(high: .max, low: .max),
            TransactionID(high: known.high, low: known.low ^ 1),
            TransactionID(recordedAt: opening.recordedAt, position: 1, entropy: 1),
            TransactionID(recordedAt: ManualClock.start, position: 19, entropy: 1),
            TransactionID(high: ledger.scribe.holds[0].high, low: ledger.scribe.holds[0].low),
        ]
        for other in others {
            #expect(try await queries.transaction(other, after: nil).value == nil)
        }
    }

    @Test func logIsReadFromAnyPositionInOrder() async throws {
        for position: Int64 in 0...19 {
            for limit in [1, 3, 100] {
                let records = try await queries.log(after: position, limit: limit, token: nil).value
                let expected = ledger.events.filter { $0.position > position }.prefix(limit)
                #expect(try records.map { try $0.event() } == Array(expected))
                #expect(records.map(\.bytes) == expected.map(\.canonicalBytes))
            }
        }
    }

    @Test func logChainsFromTheGenesisToTheHead() async throws {
        let reading = try await queries.log(after: 0, limit: 100, token: nil)
        var hash = Digest.genesis(of: reading.head.ledger)
        for record in reading.value {
            hash = .chain(after: hash, record.bytes)
            #expect(record.hash == hash)
        }
        #expect(hash == reading.head.hash)
    }
}
