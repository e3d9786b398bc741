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
    /// - Parameter progress: is told the position that was reached and the last, now and then.
    /// - Throws: ``Fault`` for what is wrong first.
    package func verify(
        progress: @escaping @Sendable (Int64, Int64) -> Void = { _, _ in }
    ) async throws -> Summary {
        try await store.read { snapshot in
            var audit = Audit(head: try snapshot.head(), epochs: try snapshot.epochs())
            do {
                while audit.position < audit.head.position {
                    try audit.nextSegment(of: snapshot)
                    progress(audit.position, audit.head.position)
                }
            } catch let fault as LogFault {
                throw Fault(position: fault.position, reason: fault.reason)
            }
            return try audit.finish(with: snapshot)
        }
    }
}

/// The ledger as the log says it is, up to a position, and what it was compared with.
private struct Audit {
    let head: Head
    let epochs: [Epoch]
    private(set) var position: Int64 = 0
    private var hash: Digest
    private var recordedAt: Instant?
    private var epoch: Int64 = .min
    private var state = LedgerState()
    private var reversedAmounts: [Int64: Int64] = [:]
    private var expected = Tally()
    private var keys = KeysOfLog()

    init(head: Head, epochs: [Epoch]) {
        self.head = head
        self.epochs = epochs
        hash = .genesis(of: head.ledger)
    }

    /// Checks the events of the next segment and the rows that they led to.
    mutating func nextSegment(of snapshot: any LedgerSnapshot) throws {
        guard let segment = try snapshot.segment(containing: position + 1) else {
            throw LogFault(position: position + 1, reason: "the log has no such position")
        }
        guard segment.firstPosition == position + 1 else {
            throw LogFault(position: position + 1, reason: "two segments overlap")
        }
        let events = try segment.records().map { try check($0) }
        guard segment.recordedAt == recordedAt else {
            throw LogFault(position: position, reason: "the segment's time is not its last event's")
        }
        try compareKeys(events, snapshot)
        try compareTexts(events, snapshot)
        for event in events { try compareEntries(event, snapshot) }
        expected.segments += 1
    }

    private mutating func check(_ record: LogRecord) throws(LogFault) -> Event {
        func require(_ condition: Bool, _ reason: String) throws(LogFault) {
            guard condition else { throw LogFault(position: record.position, reason: reason) }
        }
        let chained = Digest.chain(after: hash, record.bytes)
        try require(chained == record.hash, "the hash does not follow from the bytes")
        let event = try record.event()
        try require(event.canonicalBytes == record.bytes, "the bytes are not canonical")
        try require(
            recordedAt.map { $0 < event.recordedAt } ?? true, "the time does not increase")
        try require(event.epoch >= epoch, "the epoch decreases")
        try require(
            epochs.last { $0.firstPosition <= event.position }?.epoch == event.epoch,
            "the epoch is not the one that the ledger knows for this position")
        try require(event.isBalanced, "the postings do not sum to zero")
        try checkBalances(event)
        try checkReversal(event)
        state.evolve(event)
        hash = record.hash
        recordedAt = event.recordedAt
        epoch = event.epoch
        position = event.position
        expected.entries += Int64(event.balances.count)
        return event
    }

    /// Every balance follows from the one before, the postings and the hold that changed.
    private func checkBalances(_ event: Event) throws(LogFault) {
        func fault(_ reason: String) -> LogFault {
            LogFault(position: event.position, reason: reason)
        }
        let touched = event.balances.map(\.wallet)
        guard Set(event.postings.compactMap(\.account.wallet)).isSubset(of: Set(touched)),
            Set(touched).count == touched.count, !touched.isEmpty
        else { throw fault("the balances are not those of the wallets posted to") }
        let heldChange = try heldChange(of: event)
        for balance in event.balances {
            let opens = event.change.type == .walletOpened
            guard opens != (state.wallets[balance.wallet] != nil) else {
                throw fault("wallet \(balance.wallet) is opened twice or not at all")
            }
            let before = state.wallets[balance.wallet]
            let total = (before?.total ?? 0) + event.change(of: balance.wallet)
            let held =
                (before?.held ?? 0) + (heldChange.wallet == balance.wallet ? heldChange.amount : 0)
            guard balance.version == (before?.version ?? 0) + 1, balance.total == total,
                balance.held == held, held >= 0, total >= held, total <= Amount.maximum
            else { throw fault("the balance of wallet \(balance.wallet) does not follow") }
        }
    }

    /// By how much the event changes what is held, and of which wallet.
    private func heldChange(
        of event: Event
    ) throws(LogFault) -> (wallet: WalletID?, amount: Int64) {
        func closing(_ id: HoldID, _ amount: Int64) throws(LogFault) {
            guard let hold = state.holds[id], hold.status == .open,
                hold.amount.minorUnits == amount
            else {
                throw LogFault(position: event.position, reason: "hold \(id) is not open for it")
            }
        }
        switch event.change {
        case .holdPlaced(_, let wallet, let amount, _, _, _):
            return (wallet, amount.minorUnits)
        case .holdCaptured(let movement, let id, let wallet, let released):
            guard (0...Amount.maximum).contains(released) else {
                throw LogFault(
                    position: event.position, reason: "the capture releases an impossible amount")
            }
            let amount = movement.amount.minorUnits + released
            try closing(id, amount)
            return (wallet, -amount)
        case .holdReleased(let id, let wallet, let amount, _),
            .holdExpired(let id, let wallet, let amount, _, _):
            try closing(id, amount.minorUnits)
            return (wallet, -amount.minorUnits)
        case .walletOpened, .deposited, .withdrawn, .transferred, .reversed, .walletFrozen,
            .walletUnfrozen, .walletClosed:
            return (nil, 0)
        }
    }

    private mutating func checkReversal(_ event: Event) throws(LogFault) {
        guard case .reversed(let movement, let original, let reversedTotal) = event.change else {
            return
        }
        let position = original.embeddedPosition
        let sum = reversedAmounts[position, default: 0] + movement.amount.minorUnits
        guard sum == reversedTotal, position < event.position else {
            throw LogFault(position: event.position, reason: "the reversed total does not follow")
        }
        reversedAmounts[position] = sum
    }
}

// MARK: - Against the projections

extension Audit {
    private mutating func compareKeys(_ events: [Event], _ snapshot: any LedgerSnapshot) throws {
        for event in events {
            guard let batch = event.cause.idempotency?.batch else { continue }
            guard (0..<batch.size).contains(batch.index) else {
                throw LogFault(
                    position: event.position, reason: "its place in its batch is impossible")
            }
        }
        let records = events.flatMap { keys.records(of: $0) }
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

    private func compareEntries(_ event: Event, _ snapshot: any LedgerSnapshot) throws {
        for entry in Entry.entries(of: event) {
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
        try require(
            position == head.position && hash == head.hash
                && recordedAt.map { $0 == head.recordedAt } ?? true,
            "the head is not the end of the log")
        try require(
            epochs.last?.epoch == head.epoch, "the head's epoch is not the ledger's last one")
        try compareWallets(snapshot)
        for ids in Array(state.holds.keys).chunks(of: 500) {
            let rows = Dictionary(
                try snapshot.holds(ids).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first }
            )
            for id in ids {
                try require(rows[id] == state.holds[id], "hold \(id) is not what the log says")
            }
        }
        for keys in Array(state.references.keys).chunks(of: 500) {
            let rows = Dictionary(
                try snapshot.references(keys).map { ($0.key, $0.use) },
                uniquingKeysWith: { first, _ in first })
            for key in keys {
                try require(
                    rows[key] == state.references[key],
                    "a reference of wallet \(key.wallet) is not what the log says")
            }
        }
        for positions in Array(reversedAmounts.keys).chunks(of: 500) {
            let rows = Dictionary(
                try snapshot.reversals(positions).map { ($0.position, $0.reversedAmount) },
                uniquingKeysWith: { first, _ in first })
            for position in positions {
                try require(
                    rows[position] == reversedAmounts[position],
                    "what is reversed of position \(position) is not what the log says")
            }
        }
        expected.wallets = Int64(state.wallets.count)
        expected.holds = Int64(state.holds.count)
        expected.references = Int64(state.references.count)
        expected.reversals = Int64(reversedAmounts.count)
        let tally = try snapshot.tally()
        try require(tally == expected, "rows are missing or too many: \(tally), not \(expected)")
        try require(
            try snapshot.externalBalances() == state.external,
            "the external accounts are not the sums of the postings")
        return Verifier.Summary(
            head: head, wallets: state.wallets.count, entries: expected.entries,
            external: state.external)
    }

    private func compareWallets(_ snapshot: any LedgerSnapshot) throws {
        var sums = state.external
        var last: WalletID?
        while true {
            let page = try snapshot.wallets(after: last, limit: 1_000)
            for wallet in page {
                guard state.wallets[wallet.id] == wallet else {
                    throw Verifier.Fault(
                        position: nil, reason: "wallet \(wallet.id) is not what the log says")
                }
                sums[wallet.currency, default: 0] += wallet.total
            }
            guard let end = page.last else { break }
            last = end.id
        }
        for (currency, sum) in sums where sum != 0 {
            throw Verifier.Fault(
                position: nil, reason: "wallets and outside differ by \(sum) in \(currency.code)")
        }
    }
}

extension Array {
    fileprivate func chunks(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
