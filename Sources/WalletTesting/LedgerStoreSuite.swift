package import LedgerEngine
import WalletCore

/// What every ``LedgerStore`` must do, whatever database is behind it: one suite for all of them.
///
/// A test runs one case per argument; each case gets a new and empty store.
///
/// ```swift
/// @Test(arguments: LedgerStoreSuite.Case.allCases)
/// func keepsThePromisesOfTheStore(_ promise: LedgerStoreSuite.Case) async throws {
///     try await LedgerStoreSuite(makeStore: …).run(promise)
/// }
/// ```
package struct LedgerStoreSuite: Sendable {
    /// The promises of the port, each tested on its own.
    package enum Case: String, CaseIterable, Sendable {
        case newLedgerHasAnEmptyLog
        case appendedRowsAreReadBack
        case bodyThatThrowsWritesNothing
        case refusedAppendWritesNothing
        case transactionSeesItsOwnWrites
        case valueOfTheBodyIsReturned
        case snapshotKeepsItsHead
        case writersComeOneAfterTheOther
        case logHasNoGaps
        case segmentsAreFoundByAnyPosition
        case walletsAreFoundAndPaged
        case userIDsAreComparedByteByByte
        case referencesAreComparedByteByByte
        case referencesBelongToTheirCaller
        case entriesAreListed
        case lastEntryIsExactToTheMicrosecond
        case holdsFallDue
        case holdsAreListed
        case overdueHoldsComeOldestFirst
        case expiriesThatAreNotRecordedAreSummed
        case keysAreFound
        case refusalsAreKeptAndForgotten
        case reversalsAreAddedUp
        case textsAreKeptWithTheirBytes
        case externalSumsAreReplaced
        case everythingIsCounted
        case apiKeysAreKeptAndRevoked
        case apiKeysAreUnique
        case apiKeysAreFoundAndPaged
        case walletsOfAnOwnerAreCounted
        case walletsAreSummed
        case walletIsNotOpenedTwice
        case keyIsNotUsedTwice
        case referenceIsNotUsedTwice
        case entryIsNotWrittenTwice
        case walletIsNeverOverdrawn
        case largeNumbersAreExact
        case longListsAreLookedUp
        case textsArePagedAndErased
        case refusalsArePaged
        case timelineIsReplaced
        case unfinishedImportIsMarked
        case projectionsAreClearedAndRebuilt
        case everythingIsCleared
    }

    /// What a store did not do.
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    let makeStore: @Sendable (ManualClock) async throws -> any LedgerStore

    /// - Parameter makeStore: makes a new store with an empty ledger, whose clock is the given one.
    package init(makeStore: @escaping @Sendable (ManualClock) async throws -> any LedgerStore) {
        self.makeStore = makeStore
    }

    /// Runs one case on a new store.
    ///
    /// - Throws: ``Failure`` where the store does not keep its promise.
    package func run(_ promise: Case) async throws {
        let clock = ManualClock()
        let store = try await makeStore(clock)
        let scribe = Scribe(after: try await store.read { try $0.head() })
        var bench = Bench(store: store, clock: clock, scribe: scribe)
        switch promise {
        case .newLedgerHasAnEmptyLog: try await newLedgerHasAnEmptyLog(bench)
        case .appendedRowsAreReadBack: try await appendedRowsAreReadBack(&bench)
        case .bodyThatThrowsWritesNothing: try await bodyThatThrowsWritesNothing(&bench)
        case .refusedAppendWritesNothing: try await refusedAppendWritesNothing(&bench)
        case .transactionSeesItsOwnWrites: try await transactionSeesItsOwnWrites(&bench)
        case .valueOfTheBodyIsReturned: try await valueOfTheBodyIsReturned(bench)
        case .snapshotKeepsItsHead: try await snapshotKeepsItsHead(&bench)
        case .writersComeOneAfterTheOther: try await writersComeOneAfterTheOther(bench)
        case .logHasNoGaps: try await logHasNoGaps(&bench)
        case .segmentsAreFoundByAnyPosition: try await segmentsAreFoundByAnyPosition(&bench)
        case .walletsAreFoundAndPaged: try await walletsAreFoundAndPaged(&bench)
        case .userIDsAreComparedByteByByte: try await userIDsAreComparedByteByByte(&bench)
        case .referencesAreComparedByteByByte: try await referencesAreComparedByteByByte(&bench)
        case .referencesBelongToTheirCaller: try await referencesBelongToTheirCaller(&bench)
        case .entriesAreListed: try await entriesAreListed(&bench)
        case .lastEntryIsExactToTheMicrosecond: try await lastEntryIsExact(&bench)
        case .holdsFallDue: try await holdsFallDue(&bench)
        case .holdsAreListed: try await holdsAreListed(&bench)
        case .overdueHoldsComeOldestFirst: try await overdueHoldsComeOldestFirst(&bench)
        case .expiriesThatAreNotRecordedAreSummed: try await expiriesAreSummed(&bench)
        case .keysAreFound: try await keysAreFound(&bench)
        case .refusalsAreKeptAndForgotten: try await refusalsAreKeptAndForgotten(bench)
        case .reversalsAreAddedUp: try await reversalsAreAddedUp(&bench)
        case .textsAreKeptWithTheirBytes: try await textsAreKeptWithTheirBytes(&bench)
        case .externalSumsAreReplaced: try await externalSumsAreReplaced(&bench)
        case .everythingIsCounted: try await everythingIsCounted(&bench)
        case .apiKeysAreKeptAndRevoked: try await apiKeysAreKeptAndRevoked(bench)
        case .apiKeysAreUnique: try await apiKeysAreUnique(bench)
        case .apiKeysAreFoundAndPaged: try await apiKeysAreFoundAndPaged(bench)
        case .walletsOfAnOwnerAreCounted: try await walletsOfAnOwnerAreCounted(&bench)
        case .walletsAreSummed: try await walletsAreSummed(&bench)
        case .walletIsNotOpenedTwice: try await walletIsNotOpenedTwice(&bench)
        case .keyIsNotUsedTwice: try await keyIsNotUsedTwice(&bench)
        case .referenceIsNotUsedTwice: try await referenceIsNotUsedTwice(&bench)
        case .entryIsNotWrittenTwice: try await entryIsNotWrittenTwice(&bench)
        case .walletIsNeverOverdrawn: try await walletIsNeverOverdrawn(&bench)
        case .largeNumbersAreExact: try await largeNumbersAreExact(&bench)
        case .longListsAreLookedUp: try await longListsAreLookedUp(&bench)
        case .textsArePagedAndErased: try await textsArePagedAndErased(&bench)
        case .refusalsArePaged: try await refusalsArePaged(bench)
        case .timelineIsReplaced: try await timelineIsReplaced(&bench)
        case .unfinishedImportIsMarked: try await unfinishedImportIsMarked(bench)
        case .projectionsAreClearedAndRebuilt: try await projectionsAreClearedAndRebuilt(&bench)
        case .everythingIsCleared: try await everythingIsCleared(&bench)
        }
    }
}

/// A store under test, and the scribe who knows what should be in it.
struct Bench: Sendable {
    let store: any LedgerStore
    let clock: ManualClock
    var scribe: Scribe

    /// Decides the commands, writes what they lead to, and hands it back.
    @discardableResult
    mutating func write(
        _ commands: [Command], at instant: Instant? = nil, by actor: Actor = Fixture.shop,
        text: FreeText = FreeText()
    ) async throws -> Append {
        let append = try scribe.append(commands, at: instant, by: actor, text: text)
        try await store.write { try $0.append(append) }
        return append
    }

    /// Opens wallets for one user and puts an amount into each.
    mutating func openWallets(
        _ count: Int, user: String = "ada", currency: String = "EUR", amount: Int64 = 1_000
    ) async throws -> [WalletID] {
        let known = scribe.wallets.count
        try await write(
            Array(
                repeating: .openWallet(userID: user, currency: Fixture.currency(currency)),
                count: count))
        let wallets = Array(scribe.wallets[known...])
        try await write(
            wallets.map {
                .deposit(
                    wallet: $0, amount: Fixture.amount(amount), currency: nil, reference: nil)
            })
        return wallets
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerSnapshot) throws -> Value
    ) async throws -> Value {
        try await store.read(body)
    }
}

extension LedgerStoreSuite {
    func require(_ condition: Bool, _ promise: String, line: UInt = #line) throws {
        guard condition else { throw Failure(description: "\(promise) (line \(line))") }
    }

    func requireEqual<Value: Equatable>(
        _ found: Value, _ expected: Value, _ what: String, line: UInt = #line
    ) throws {
        guard found == expected else {
            throw Failure(
                description: "\(what): found \(found), expected \(expected) (line \(line))")
        }
    }

    /// The database must refuse the append, and be as it was before.
    func requireRejection(
        of append: Append, by bench: Bench, _ what: String, line: UInt = #line
    ) async throws {
        let before = try await bench.read { try Everything($0) }
        do {
            try await bench.store.write { try $0.append(append) }
        } catch StoreError.rejected {
            let after = try await bench.read { try Everything($0) }
            try requireEqual(after, before, "what is left after \(what)", line: line)
            return
        } catch {
            throw Failure(description: "\(what) failed with \(error) (line \(line))")
        }
        throw Failure(description: "\(what) was not refused (line \(line))")
    }
}

/// What a snapshot shows, as far as it can be had without knowing what to ask for.
struct Everything: Equatable, Sendable {
    var head: Head
    var epochs: [Epoch]
    var external: [Currency: Int64]
    var wallets: [Wallet]
    var tally: Tally
    var lastSegment: Segment?

    init(_ snapshot: any LedgerSnapshot) throws {
        head = try snapshot.head()
        epochs = try snapshot.epochs()
        external = try snapshot.externalBalances()
        wallets = try snapshot.wallets(after: nil, limit: 10_000)
        tally = try snapshot.tally()
        lastSegment = try snapshot.segment(containing: head.position)
    }
}
