import WalletCore

/// The keys and state of one transaction while it is decided, and what it will write.
///
/// A value: an atomic batch is decided on a copy, which takes the place of the original or is
/// dropped.
struct Commit {
    private(set) var head: Head
    private let now: Instant
    private let entropy: @Sendable () -> UInt64
    private var state = LedgerState()
    /// What is known of a key: from the store, or from earlier in this transaction.
    private var known: [Digest: Known] = [:]
    /// The holds of the whole ledger that are due, the one that was due first last; what sweeps
    /// work on.
    private var overdue: [HoldID] = []
    private var body: [UInt8] = []
    private let firstPosition: Int64
    private var events: [Event] = []
    private var keys: [KeyRecord] = []
    private var refusals: [RefusalRecord] = []
    private var texts: [TextRecord] = []

    /// What a key led to. A batch's leads to the first event of the batch, or to a refusal.
    private struct Known {
        var fingerprint: Digest
        var outcome: Outcome
    }

    init(head: Head, now: Instant, entropy: @escaping @Sendable () -> UInt64) {
        self.head = head
        self.now = now
        self.entropy = entropy
        firstPosition = head.position + 1
    }

    /// The time of the next event: strictly after that of the last.
    private var nextTime: Instant {
        max(now, head.recordedAt.advanced(byMicroseconds: 1))
    }

    private mutating func record(_ event: Event) {
        precondition(event.isBalanced && event.position == head.position + 1)
        let bytes = event.canonicalBytes
        head.hash = .chain(after: head.hash, bytes)
        head.position = event.position
        head.recordedAt = event.recordedAt
        Segment.appendFrame(bytes, hash: head.hash, to: &body)
        state.evolve(event)
        events.append(event)
    }

    /// What the store has to write; `nil` when nothing happened.
    func append() -> Append? {
        guard !events.isEmpty || !refusals.isEmpty else { return nil }
        var append = Append(head: head)
        append.keys = keys
        append.refusals = refusals
        append.texts = texts
        guard !events.isEmpty else { return append }
        append.segment = Segment(
            firstPosition: firstPosition, lastPosition: head.position,
            recordedAt: head.recordedAt, body: body)
        append.project(events, onto: state)
        return append
    }
}

// MARK: - Loading

extension Commit {
    /// Looks up every key of the work, and what it led to.
    mutating func loadKnown(
        _ work: [Work], unresolved: Set<Digest>, from snapshot: any LedgerSnapshot
    ) throws {
        let wanted = work.flatMap(\.keys)
        guard !wanted.isEmpty else { return }
        let found = try snapshot.keys(wanted)
        if !found.isEmpty {
            let positions = found.map(\.position)
            let events = try snapshot.events(at: positions)
            let texts = Dictionary(
                try snapshot.texts(positions).map { ($0.position, $0.text.text) },
                uniquingKeysWith: { first, _ in first })
            for record in found {
                guard let event = events[record.position],
                    let stamp = event.cause.idempotency
                else {
                    throw StoreError.corrupted(reason: "a key names an event that is not its own")
                }
                // Where only the stored part of two keys is equal, the fingerprints differ.
                known[record.key] = Known(
                    fingerprint: stamp.fingerprint(under: record.key),
                    outcome: .recorded(
                        RecordedOutcome(
                            event: event, text: texts[record.position] ?? FreeText(),
                            isReplay: !unresolved.contains(record.key))))
            }
        }
        guard found.count < wanted.count else { return }
        for record in try snapshot.refusals(wanted.filter { known[$0] == nil }) {
            known[record.key] = Known(
                fingerprint: record.fingerprint,
                outcome: .refused(
                    RefusedOutcome(
                        refusal: record.refusal, isReplay: !unresolved.contains(record.key),
                        requestID: record.requestID)))
        }
    }

    /// The keys that ``loadKnown(_:unresolved:from:)`` did not find.
    func missingKeys(of work: [Work]) -> Set<Digest> {
        Set(work.lazy.flatMap(\.keys).filter { known[$0] == nil })
    }

    /// Loads all that the work involves and that is not answered by its keys.
    mutating func loadState(for work: [Work], from snapshot: any LedgerSnapshot) throws {
        var wallets: Set<WalletID> = []
        var holds: Set<HoldID> = []
        var transactions: Set<TransactionID> = []
        var references: Set<ReferenceKey> = []
        for submission in work.lazy.flatMap(\.submissions) where known[submission.key] == nil {
            guard case .success(let instruction) = submission.request else { continue }
            let needs = instruction.command.needs(by: submission.actor)
            wallets.formUnion(needs.wallets)
            if let hold = needs.hold { holds.insert(hold) }
            if let transaction = needs.transaction { transactions.insert(transaction) }
            if let reference = needs.reference { references.insert(reference) }
            if let owner = needs.owner, state.walletCounts[owner] == nil {
                state.walletCounts[owner] = try snapshot.walletCount(
                    of: owner, limit: WalletOwner.limit)
            }
        }
        state.external = try snapshot.externalBalances()
        if !references.isEmpty {
            for record in try snapshot.references(Array(references)) {
                state.references[record.key] = record.use
                // Whether it was a hold that used it first, its refusal tells.
                holds.insert(HoldID(high: record.use.id.high, low: record.use.id.low))
            }
        }
        if !holds.isEmpty {
            for hold in try snapshot.holds(Array(holds)) {
                state.holds[hold.id] = hold
                wallets.insert(hold.wallet)
            }
        }
        if !transactions.isEmpty {
            for transaction in try loadTransactions(transactions, from: snapshot) {
                state.transactions[transaction.id] = transaction
                wallets.formUnion(
                    [transaction.debited, transaction.credited].compactMap(\.wallet))
            }
        }
        try loadWallets(wallets, events: work.reduce(0) { $0 + $1.size }, from: snapshot)
        try loadOverdue(atMost: work.reduce(0) { $0 + $1.sweptHolds }, from: snapshot)
    }

    private func loadTransactions(
        _ ids: Set<TransactionID>, from snapshot: any LedgerSnapshot
    ) throws -> [ReversibleTransaction] {
        let positions = ids.map(\.embeddedPosition)
        let events = try snapshot.events(at: positions)
        let reversed = Dictionary(
            try snapshot.reversals(positions).map { ($0.position, $0.reversedAmount) },
            uniquingKeysWith: { first, _ in first })
        return ids.compactMap { id in
            guard let event = events[id.embeddedPosition] else { return nil }
            let transaction = ReversibleTransaction(
                event, reversedAmount: reversed[event.position] ?? 0)
            return transaction?.id == id ? transaction : nil
        }
    }

    /// - Parameter events: how many there will be at most beside those of holds that expire.
    private mutating func loadWallets(
        _ ids: Set<WalletID>, events: Int, from snapshot: any LedgerSnapshot
    ) throws {
        guard !ids.isEmpty else { return }
        var holding: [WalletID] = []
        for wallet in try snapshot.wallets(Array(ids)) {
            state.wallets[wallet.id] = wallet
            if wallet.held > 0 { holding.append(wallet.id) }
        }
        guard !holding.isEmpty else { return }
        // Each event of the transaction has its own microsecond, those of holds that expire too,
        // so that a hold may fall due within it.
        var due: [Hold] = []
        var margin = 0
        repeat {
            margin = events + due.count + 1_000
            due = try snapshot.dueHolds(
                of: holding, at: nextTime.advanced(byMicroseconds: Int64(margin)))
        } while events + due.count > margin
        for hold in due { state.holds[hold.id] = hold }
    }

    private mutating func loadOverdue(
        atMost limit: Int, from snapshot: any LedgerSnapshot
    ) throws {
        guard limit > 0 else { return }
        let due = try snapshot.dueHolds(at: nextTime, limit: limit)
        for hold in due { state.holds[hold.id] = hold }
        overdue = due.reversed().map(\.id)
        let others = Set(due.map(\.wallet)).filter { state.wallets[$0] == nil }
        guard !others.isEmpty else { return }
        for wallet in try snapshot.wallets(Array(others)) { state.wallets[wallet.id] = wallet }
    }
}

// MARK: - Deciding

extension Commit {
    mutating func settle(_ work: Work) -> WorkOutcome {
        switch work {
        case .single(let submission): .single(settle(submission, in: nil))
        case .batch(let batch): .batch(settle(batch))
        case .sweep(let limit): .sweep(sweep(atMost: limit))
        }
    }

    /// Replays, refuses or records one submission.
    private mutating func settle(_ submission: Submission, in batch: BatchStamp?) -> Outcome {
        if let earlier = known[submission.key] {
            guard earlier.fingerprint == submission.fingerprint else {
                return refused(Refusal(.idempotencyKeyReused), submission.requestID)
            }
            // Whoever comes with the same key later in this transaction repeats it in any case.
            known[submission.key]?.outcome = earlier.outcome.replayed
            return earlier.outcome
        }
        guard case .success(let instruction) = submission.request,
            let fingerprint = submission.fingerprint
        else {
            return refused(submission.request.refusal, submission.requestID)
        }
        let decision = state.decide(
            instruction,
            cause: Cause(
                actor: submission.actor, command: submission.command,
                idempotency: IdempotencyStamp(
                    key: submission.key, fingerprint: fingerprint, batch: batch)),
            text: submission.text?.commitment,
            at: nextMoment)
        for expiry in decision.expiries { record(expiry) }
        switch decision.outcome {
        case .failure(let refusal):
            if refusal.code.isRemembered {
                remember(refusal, submission.key, fingerprint, submission.requestID)
            }
            return refused(refusal, submission.requestID)
        case .success(let event):
            record(event)
            let text = submission.text?.text ?? FreeText()
            keys.append(KeyRecord(key: submission.key, position: event.position))
            if let text = submission.text {
                texts.append(TextRecord(position: event.position, text: text))
            }
            let outcome = Outcome.recorded(
                RecordedOutcome(event: event, text: text, isReplay: false))
            known[submission.key] = Known(fingerprint: fingerprint, outcome: outcome.replayed)
            return outcome
        }
    }

    private var nextMoment: Moment {
        Moment(
            position: head.position + 1, epoch: head.epoch, time: nextTime, entropy: entropy())
    }

    /// Keeps a refusal under its key.
    private mutating func remember(
        _ refusal: Refusal, _ key: Digest, _ fingerprint: Digest, _ requestID: String
    ) {
        refusals.append(
            RefusalRecord(
                key: key, fingerprint: fingerprint, recordedAt: nextTime, requestID: requestID,
                refusal: refusal))
        known[key] = Known(
            fingerprint: fingerprint, outcome: refused(refusal, requestID).replayed)
    }

    private func refused(_ refusal: Refusal, _ requestID: String) -> Outcome {
        .refused(RefusedOutcome(refusal: refusal, isReplay: false, requestID: requestID))
    }
}

// MARK: - Batches

extension Commit {
    private mutating func settle(_ batch: BatchSubmission) -> BatchOutcome {
        let earlier = known[batch.key]
        if let earlier {
            guard earlier.fingerprint == batch.fingerprint else {
                return batch.refused(Refusal(.idempotencyKeyReused))
            }
            known[batch.key]?.outcome = earlier.outcome.replayed
            if case .refused(let outcome) = earlier.outcome,
                outcome.refusal.settledBatchSize == nil
            {
                return .refused(outcome)
            }
        }
        guard case .success(let operations) = batch.request, let fingerprint = batch.fingerprint
        else {
            return batch.refused(batch.request.refusal)
        }
        // What is known already is settled again by the operations' own keys.
        let isReplay = earlier?.outcome.isReplay ?? false
        guard batch.isAtomic else {
            return .settled(settle(operations, of: batch, fingerprint), isReplay: isReplay)
        }
        var trial = self
        let outcomes = trial.settle(operations, of: batch, fingerprint)
        let refusals = outcomes.map(\.refusal)
        if refusals.allSatisfy({ $0 == nil }) {
            self = trial
            return .settled(outcomes, isReplay: isReplay)
        }
        // The trial is dropped whole. Holds that expired in it are still due, and are recorded as
        // such by whatever comes next.
        var refusal = Refusal(.batchRefused)
        // A user would learn of strangers' wallets by transfers that never happen.
        if batch.actor.user == nil { refusal.operations = refusals }
        if earlier == nil { remember(refusal, batch.key, fingerprint, batch.requestID) }
        return batch.refused(refusal)
    }

    /// Settles one operation after the other, and makes the batch's key lead to what came of them.
    private mutating func settle(
        _ operations: [Submission], of batch: BatchSubmission, _ fingerprint: Digest
    ) -> [Outcome] {
        let before = head.position
        var stamp = BatchStamp(
            key: batch.key, fingerprint: fingerprint, index: 0, size: Int64(operations.count),
            isAtomic: batch.isAtomic)
        var outcomes: [Outcome] = []
        outcomes.reserveCapacity(operations.count)
        for operation in operations {
            outcomes.append(settle(operation, in: stamp))
            stamp.index += 1
        }
        if case .recorded = known[batch.key]?.outcome { return outcomes }
        let first = outcomes.first { $0.position.map { $0 > before } ?? false }
        if let first, let position = first.position {
            keys.append(KeyRecord(key: batch.key, position: position))
            known[batch.key] = Known(fingerprint: fingerprint, outcome: first.replayed)
        } else if known[batch.key] == nil {
            remember(
                .settledBatch(of: operations.count), batch.key, fingerprint, batch.requestID)
        }
        return outcomes
    }
}

// MARK: - Sweeping

extension Commit {
    /// Records that holds have expired, those that were due first before the others.
    ///
    /// - Returns: how many.
    private mutating func sweep(atMost limit: Int) -> Int {
        var count = 0
        while count < limit, let id = overdue.popLast() {
            // Another command of this transaction may have come first.
            guard let hold = state.holds[id], let expiry = state.expire(hold, at: nextMoment)
            else { continue }
            record(expiry)
            count += 1
        }
        return count
    }
}

extension IdempotencyStamp {
    /// The fingerprint of the request whose key this is: the batch's, or the operation's own.
    fileprivate func fingerprint(under key: Digest) -> Digest {
        if let batch, batch.key == key { return batch.fingerprint }
        return fingerprint
    }
}

extension Outcome {
    /// The same, given again.
    fileprivate var replayed: Outcome {
        switch self {
        case .recorded(var outcome):
            outcome.isReplay = true
            return .recorded(outcome)
        case .refused(var outcome):
            outcome.isReplay = true
            return .refused(outcome)
        }
    }

    fileprivate var isReplay: Bool {
        switch self {
        case .recorded(let outcome): outcome.isReplay
        case .refused(let outcome): outcome.isReplay
        }
    }

    fileprivate var position: Int64? {
        switch self {
        case .recorded(let outcome): outcome.event.position
        case .refused: nil
        }
    }

    fileprivate var refusal: Refusal? {
        switch self {
        case .recorded: nil
        case .refused(let outcome): outcome.refusal
        }
    }
}

extension Result where Failure == Refusal {
    /// Why there is no instruction.
    fileprivate var refusal: Refusal {
        switch self {
        case .success: Refusal(.validationFailed)
        case .failure(let refusal): refusal
        }
    }
}
