import LedgerEngine
import WalletCore
import WalletTesting

/// A small ledger with every type of event, as a base that tests do damage to.
struct SoundLedger: Sendable {
    let store: InMemoryLedgerStore
    private(set) var scribe: Scribe
    private(set) var segments: [Segment] = []
    let clock = ManualClock()

    /// Eighteen events in eight commits:
    ///
    /// 1, 2 wallets with text · 3, 4 deposits, the first with a reference · 5 transfer, 6–8 holds ·
    /// 9 capture, 10 release · 11 expiry, 12 deposit · 13, 14 reversals · 15 another
    /// wallet · 16–18 freeze, unfreeze, close
    init() async throws {
        let clock = clock
        store = InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        scribe = Scribe(after: try await store.read { try $0.head() })
        let currency = Fixture.currency("EUR")
        try await write(
            [
                .openWallet(userID: "ada", currency: currency),
                .openWallet(userID: "bob", currency: currency),
            ], text: FreeText(description: "a text", metadata: ["a": "b"]))
        let (ada, bob) = (scribe.wallets[0], scribe.wallets[1])
        try await write([deposit(ada, 1_000, reference: "order"), deposit(bob, 500)])
        try await write([
            transfer(ada, bob, 100), hold(ada, 10, until: SoundLedger.expiry),
            hold(ada, 20, until: nil), hold(ada, 40, until: SoundLedger.expiry),
        ])
        let holds = scribe.holds
        try await write([
            .captureHold(hold: holds[0], amount: Fixture.amount(4), to: bob),
            .releaseHold(hold: holds[1]),
        ])
        try await write([deposit(ada, 1)], at: SoundLedger.expiry)
        let transfer = scribe.transactions[2]
        try await write([
            .reverse(transaction: transfer, amount: Fixture.amount(30)),
            .reverse(transaction: transfer, amount: Fixture.amount(50)),
        ])
        try await write([.openWallet(userID: "ada", currency: Fixture.currency("JPY"))])
        try await write([
            .freezeWallet(ada), .unfreezeWallet(ada), .closeWallet(scribe.wallets[2]),
        ])
    }

    /// A ledger of other commits; the last of them comes long after ``expiry``.
    init(_ commits: [(Scribe) -> [Command]]) async throws {
        let clock = clock
        store = InMemoryLedgerStore(ledger: Fixture.ledger, now: { clock.now })
        scribe = Scribe(after: try await store.read { try $0.head() })
        for (index, commit) in commits.enumerated() {
            let isLast = index == commits.count - 1
            try await write(
                commit(scribe),
                at: isLast ? SoundLedger.expiry.advanced(byMicroseconds: 1_000_000) : nil)
        }
    }

    /// When two of the holds fall due.
    static let expiry = ManualClock.start.advanced(byMicroseconds: 1_000_000)

    var events: [Event] { scribe.events }

    private mutating func write(
        _ commands: [Command], at instant: Instant? = nil, text: FreeText = FreeText()
    ) async throws {
        let append = try scribe.append(commands, at: instant, text: text)
        try await store.write { try $0.append(append) }
        if let segment = append.segment { segments.append(segment) }
    }

    /// The ledger with other events in its log, hashed anew by someone who knows how.
    func forged(_ change: (inout [Event]) -> Void) -> AlteredLedgerStore {
        var events = events
        change(&events)
        return forged(bytes: events.map(\.canonicalBytes))
    }

    /// The ledger with other bytes in its log, hashed anew.
    func forged(bytes: [[UInt8]]) -> AlteredLedgerStore {
        var hash = Digest.genesis(of: Fixture.ledger)
        var forged: [Int64: Segment] = [:]
        for original in segments {
            var segment = original
            segment.body = []
            for position in original.firstPosition...original.lastPosition {
                let bytes = bytes[Int(position) - 1]
                hash = .chain(after: hash, bytes)
                Segment.appendFrame(bytes, hash: hash, to: &segment.body)
            }
            forged[original.firstPosition] = segment
        }
        return AlteredLedgerStore(store) { [forged, hash] alteration in
            alteration.segment = { $0.flatMap { forged[$0.firstPosition] } }
            alteration.head = { head in
                var head = head
                head.hash = hash
                return head
            }
        }
    }
}
