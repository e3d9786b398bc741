package import WalletCore

/// Proves a ledger from its log alone, and every projection against the log.
package struct Verifier: Sendable {
    /// What a sound ledger has.
    package struct Summary: Hashable, Sendable {
        package var head: Head
        package var wallets: Int
        package var entries: Int64
        /// The external accounts, in minor units, each the negative sum of the wallets' totals.
        package var external: [Currency: Int64]
    }

    /// Where a ledger is not sound.
    package struct Fault: Error, Hashable {
        /// The first position that is wrong; absent where a projection differs at the end.
        package var position: Int64?
        package var reason: String
    }

    private let store: any LedgerStore

    package init(store: any LedgerStore) {
        self.store = store
    }

    /// Verifies one snapshot; writers go on meanwhile.
    ///
    /// - Parameters:
    ///   - anchors: what was published of this ledger earlier; the log must still have it.
    ///   - progress: is told the position that was reached and the last, now and then.
    /// - Throws: ``Fault`` for what is wrong first.
    package func verify(
        against anchors: [Anchor] = [],
        progress: @escaping @Sendable (Int64, Int64) -> Void = { _, _ in }
    ) async throws -> Summary {
        try await store.read { snapshot in
            var audit = Audit(
                head: try snapshot.head(), epochs: try snapshot.epochs(), anchors: anchors)
            do {
                try audit.compareAnchors(at: 0)
                while audit.log.position < audit.head.position {
                    try audit.nextSegment(of: snapshot)
                    progress(audit.log.position, audit.head.position)
                }
            } catch let fault as LogFault {
                throw Fault(position: fault.position, reason: fault.reason)
            }
            let summary = try audit.finish(with: snapshot)
            try snapshot.checkStorage()
            return summary
        }
    }
}

/// The log as it is read, and what it is compared with.
private struct Audit {
    let head: Head
    private(set) var log: LogAudit
    /// The anchors that have not been reached, by position.
    private var anchors: [Int64: [Anchor]]
    private var expected = Tally()

    init(head: Head, epochs: [Epoch], anchors: [Anchor]) {
        self.head = head
        log = LogAudit(ledger: head.ledger, epochs: epochs)
        self.anchors = Dictionary(grouping: anchors, by: \.position)
    }

    /// Checks the events of the next segment and the rows that they led to.
    mutating func nextSegment(of snapshot: any LedgerSnapshot) throws {
        let next = log.position + 1
        guard let segment = try snapshot.segment(containing: next) else {
            throw LogFault(position: next, reason: "the log has no such position")
        }
        guard segment.firstPosition == next else {
            throw LogFault(position: next, reason: "two segments overlap")
        }
        var events: [Event] = []
        for record in try segment.records() {
            events.append(try log.check(record))
            try compareAnchors(at: record.position)
        }
        guard segment.recordedAt == log.recordedAt else {
            throw LogFault(
                position: log.position, reason: "the segment's time is not its last event's")
        }
        try LogAudit.prove(log.takeReversals(), in: snapshot)
        try compareKeys(events, snapshot)
        try compareTexts(events, snapshot)
        try compareReferences(events, snapshot)
        for event in events { try compareEntries(event, snapshot) }
        try compareClosedHolds(snapshot)
        expected.segments += 1
        log.forgetSettled()
    }

    /// Compares what was published of a position with what the log has there.
    mutating func compareAnchors(at position: Int64) throws {
        guard let reached = anchors.removeValue(forKey: position) else { return }
        for anchor in reached {
            guard anchor.ledger == head.ledger else {
                throw Verifier.Fault(
                    position: position, reason: "\(anchor.title) is of another ledger")
            }
            guard anchor.hash == log.hash else {
                throw Verifier.Fault(
                    position: position,
                    reason: "\(anchor.title) has another hash: the log was rewritten")
            }
            let place = ConsistencyToken(epoch: anchor.epoch, position: position)
            guard place.isKnown(to: head, epochs: log.epochs) else {
                throw Verifier.Fault(
                    position: position, reason: "\(anchor.title) is of an unknown timeline")
            }
        }
    }
}

// MARK: - Against the projections

extension Audit {
    /// A reference has one row, so one that the log uses twice differs at one of its places.
    private mutating func compareReferences(
        _ events: [Event], _ snapshot: any LedgerSnapshot
    ) throws {
        let keys = events.compactMap { $0.reference?.key }
        guard !keys.isEmpty else { return }
        let rows = Dictionary(
            try snapshot.references(keys).map { ($0.key, $0.use) },
            uniquingKeysWith: { first, _ in first })
        for event in events {
            guard let reference = event.reference else { continue }
            expected.references += 1
            let use = ReferenceUse(id: reference.id, position: event.position)
            guard rows[reference.key] == use else {
                throw LogFault(
                    position: event.position, reason: "its reference is not what the log says")
            }
        }
    }

    /// A hold that has been closed changes no more, so its row is compared once and for all.
    private mutating func compareClosedHolds(_ snapshot: any LedgerSnapshot) throws {
        try compareHolds(log.closedHolds, snapshot)
        expected.holds += Int64(log.closedHolds.count)
    }

    private func compareHolds(_ ids: [HoldID], _ snapshot: any LedgerSnapshot) throws {
        guard !ids.isEmpty else { return }
        let rows = Dictionary(
            try snapshot.holds(ids).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        for id in ids where rows[id] != log.state.holds[id] {
            throw Verifier.Fault(position: nil, reason: "hold \(id) is not what the log says")
        }
    }

    private mutating func compareKeys(_ events: [Event], _ snapshot: any LedgerSnapshot) throws {
        let records = log.keyRecords(of: events)
        let rows = Dictionary(
            try snapshot.keys(records.map(\.key)).map { ($0.key, $0) },
            uniquingKeysWith: { first, _ in first })
        for record in records where rows[record.key] != record {
            throw LogFault(
                position: record.position, reason: "its idempotency key is not kept right")
        }
        expected.keys += Int64(records.count)
    }

    private func compareTexts(_ events: [Event], _ snapshot: any LedgerSnapshot) throws {
        let rows = Dictionary(
            try snapshot.texts(events.map(\.position)).map { ($0.position, $0.text) },
            uniquingKeysWith: { first, _ in first })
        for event in events {
            // Text that has been erased leaves a commitment without text behind, and that is right.
            guard let text = rows[event.position] else { continue }
            guard text.commitment == event.text else {
                throw LogFault(
                    position: event.position, reason: "its free text is not the one committed to")
            }
        }
    }

    private mutating func compareEntries(
        _ event: Event, _ snapshot: any LedgerSnapshot
    ) throws {
        for entry in Entry.entries(of: event) {
            expected.entries += 1
            guard try snapshot.lastEntry(of: entry.wallet, at: entry.recordedAt) == entry else {
                throw LogFault(
                    position: event.position,
                    reason: "the entry of wallet \(entry.wallet) is missing or different")
            }
        }
    }

    /// Compares what is left when the whole log has been read.
    mutating func finish(with snapshot: any LedgerSnapshot) throws -> Verifier.Summary {
        func require(_ condition: Bool, _ reason: String) throws {
            guard condition else { throw Verifier.Fault(position: nil, reason: reason) }
        }
        try require(log.hasReached(head), "the head is not the end of the log")
        if let beyond = anchors.keys.min(), let anchor = anchors[beyond]?.first {
            throw Verifier.Fault(
                position: beyond,
                reason: "\(anchor.title) is beyond the head, \(head.position): the log was cut off")
        }
        try require(
            log.epochs.last?.epoch == head.epoch, "the head's epoch is not the ledger's last one")
        try compareWallets(snapshot)
        for ids in Array(log.state.holds.keys).chunks(of: 500) {
            try compareHolds(ids, snapshot)
        }
        for positions in Array(log.reversedAmounts.keys).chunks(of: 500) {
            let rows = Dictionary(
                try snapshot.reversals(positions).map { ($0.position, $0.reversedAmount) },
                uniquingKeysWith: { first, _ in first })
            for position in positions {
                try require(
                    rows[position] == log.reversedAmounts[position],
                    "what is reversed of position \(position) is not what the log says")
            }
        }
        expected.wallets = Int64(log.state.wallets.count)
        expected.holds += Int64(log.state.holds.count)
        expected.reversals = Int64(log.reversedAmounts.count)
        let tally = try snapshot.tally()
        try require(tally == expected, "rows are missing or too many: \(tally), not \(expected)")
        try require(
            try snapshot.externalBalances() == log.state.external,
            "the external accounts are not the sums of the postings")
        return Verifier.Summary(
            head: head, wallets: log.state.wallets.count, entries: expected.entries,
            external: log.state.external)
    }

    private func compareWallets(_ snapshot: any LedgerSnapshot) throws {
        do throws(LogFault) {
            try log.checkSums()
        } catch {
            throw Verifier.Fault(position: nil, reason: error.reason)
        }
        var last: WalletID?
        while true {
            let page = try snapshot.wallets(after: last, limit: 1_000)
            for wallet in page where !wallet.isExactly(log.state.wallets[wallet.id]) {
                throw Verifier.Fault(
                    position: nil, reason: "wallet \(wallet.id) is not what the log says")
            }
            guard let end = page.last else { break }
            last = end.id
        }
    }
}

extension Wallet {
    /// Whether they are the same, byte by byte: `==` on strings takes `é` written in two ways for
    /// one, and they are two users.
    fileprivate func isExactly(_ other: Wallet?) -> Bool {
        self == other && other.map { $0.userID.utf8.elementsEqual(userID.utf8) } ?? false
    }
}

extension Array {
    fileprivate func chunks(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
