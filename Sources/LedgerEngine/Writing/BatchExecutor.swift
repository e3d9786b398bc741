package import WalletCore

/// Takes a batch of submissions through one transaction: keys, state, decisions, writes.
struct BatchExecutor: Sendable {
    /// How far the head may be ahead of the database's clock before writes stop, in microseconds.
    static let headLead: Int64 = 5_000_000
    /// How long a refusal is remembered, in microseconds: eight days, a day more than promised.
    static let refusalRetention: Int64 = 8 * 86_400 * 1_000_000
    /// How many refusals one transaction forgets at most.
    static let pruneLimit = 1_000

    /// Random bits for identifiers.
    let entropy: @Sendable () -> UInt64

    /// The outcomes, in the order of the submissions, and the head afterwards.
    struct Result: Sendable {
        var outcomes: [Outcome]
        var head: Head
    }

    /// Decides and appends.
    ///
    /// - Parameters:
    ///   - submissions: what is asked, in the order in which it takes effect.
    ///   - unresolved: keys that an earlier attempt at this same batch did not find; if they are
    ///     found now, that attempt was committed after all, and its answers are no replays.
    ///   - prunes: whether this transaction also forgets old refusals.
    ///   - missing: is told the keys that this attempt did not find, before anything is written.
    func execute(
        _ submissions: [Submission], unresolved: Set<Digest>, prunes: Bool,
        in transaction: any LedgerTransaction, missing: (Set<Digest>) -> Void
    ) throws -> Result {
        let head = try transaction.head()
        let now = try transaction.now()
        guard head.recordedAt.microseconds - now.microseconds <= BatchExecutor.headLead else {
            throw StoreError.unavailable(reason: "the log's head is ahead of the clock")
        }
        var batch = Batch(head: head, now: now, entropy: entropy)
        try batch.loadKnown(submissions, unresolved: unresolved, from: transaction)
        missing(batch.missingKeys(of: submissions))
        try batch.loadState(for: submissions, from: transaction)
        let outcomes = submissions.map { batch.settle($0) }
        if let append = batch.append() { try transaction.append(append) }
        if prunes {
            let limit = now.advanced(byMicroseconds: -BatchExecutor.refusalRetention)
            try transaction.pruneRefusals(
                recordedBefore: limit, atMost: BatchExecutor.pruneLimit)
        }
        return Result(outcomes: outcomes, head: batch.head)
    }
}

/// The keys and state of one batch while it is decided, and what it will write.
private struct Batch {
    private(set) var head: Head
    private let now: Instant
    private let entropy: @Sendable () -> UInt64
    private var state = LedgerState()
    /// What is known of a key: from the store, or from earlier in this batch.
    private var known: [Digest: Known] = [:]
    private var body: [UInt8] = []
    private let firstPosition: Int64
    private var events: [Event] = []
    private var keys: [KeyRecord] = []
    private var refusals: [RefusalRecord] = []
    private var texts: [TextRecord] = []

    struct Known {
        var fingerprint: Digest
        var outcome: Outcome
    }

    init(head: Head, now: Instant, entropy: @escaping @Sendable () -> UInt64) {
        self.head = head
        self.now = now
        self.entropy = entropy
        firstPosition = head.position + 1
    }

    /// Looks up every key of the batch, and what it led to.
    mutating func loadKnown(
        _ submissions: [Submission], unresolved: Set<Digest>, from snapshot: any LedgerSnapshot
    ) throws {
        let wanted = submissions.map(\.key)
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
                    fingerprint: stamp.fingerprint,
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
    func missingKeys(of submissions: [Submission]) -> Set<Digest> {
        Set(submissions.lazy.map(\.key).filter { known[$0] == nil })
    }

    /// Loads all that the new commands of the batch involve.
    mutating func loadState(
        for submissions: [Submission], from snapshot: any LedgerSnapshot
    ) throws {
        var wallets: Set<WalletID> = []
        var holds: Set<HoldID> = []
        var transactions: Set<TransactionID> = []
        var references: Set<ReferenceKey> = []
        for submission in submissions where known[submission.key] == nil {
            guard case .success(let instruction) = submission.request else { continue }
            let needs = instruction.command.needs(by: submission.actor)
            wallets.formUnion(needs.wallets)
            if let hold = needs.hold { holds.insert(hold) }
            if let transaction = needs.transaction { transactions.insert(transaction) }
            if let reference = needs.reference { references.insert(reference) }
        }
        state.external = try snapshot.externalBalances()
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
        if !references.isEmpty {
            for record in try snapshot.references(Array(references)) {
                state.references[record.key] = record.use
            }
        }
        guard !wallets.isEmpty else { return }
        var holding: [WalletID] = []
        for wallet in try snapshot.wallets(Array(wallets)) {
            state.wallets[wallet.id] = wallet
            if wallet.held > 0 { holding.append(wallet.id) }
        }
        guard !holding.isEmpty else { return }
        // Each event of the batch has its own time, so a hold may fall due within the batch.
        let margin = Int64(submissions.count + 1_000)
        let latest = nextTime.advanced(byMicroseconds: margin)
        for hold in try snapshot.dueHolds(of: holding, at: latest) { state.holds[hold.id] = hold }
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

    /// The time of the next event: strictly after that of the last.
    private var nextTime: Instant {
        max(now, head.recordedAt.advanced(byMicroseconds: 1))
    }

    /// Replays, refuses or records one submission.
    mutating func settle(_ submission: Submission) -> Outcome {
        if let earlier = known[submission.key] {
            guard earlier.fingerprint == submission.fingerprint else {
                return refused(Refusal(.idempotencyKeyReused), submission)
            }
            // Whoever comes with the same key later in this batch repeats it in any case.
            known[submission.key]?.outcome = earlier.outcome.replayed
            return earlier.outcome
        }
        guard case .success(let instruction) = submission.request,
            let fingerprint = submission.fingerprint
        else {
            return refused(submission.request.refusal, submission)
        }
        let decision = state.decide(
            instruction,
            cause: Cause(
                actor: submission.actor, command: submission.command,
                idempotency: IdempotencyStamp(key: submission.key, fingerprint: fingerprint)),
            text: submission.text?.commitment,
            at: Moment(
                position: head.position + 1, epoch: head.epoch, time: nextTime,
                entropy: entropy()))
        for expiry in decision.expiries { record(expiry) }
        switch decision.outcome {
        case .failure(let refusal):
            if refusal.code.isRemembered {
                refusals.append(
                    RefusalRecord(
                        key: submission.key, fingerprint: fingerprint, recordedAt: nextTime,
                        requestID: submission.requestID, refusal: refusal))
                remember(submission.key, fingerprint, refused(refusal, submission, isReplay: true))
            }
            return refused(refusal, submission)
        case .success(let event):
            record(event)
            let text = submission.text?.text ?? FreeText()
            keys.append(KeyRecord(key: submission.key, position: event.position))
            if let text = submission.text {
                texts.append(TextRecord(position: event.position, text: text))
            }
            remember(
                submission.key, fingerprint,
                .recorded(RecordedOutcome(event: event, text: text, isReplay: true)))
            return .recorded(RecordedOutcome(event: event, text: text, isReplay: false))
        }
    }

    private mutating func remember(_ key: Digest, _ fingerprint: Digest, _ outcome: Outcome) {
        known[key] = Known(fingerprint: fingerprint, outcome: outcome)
    }

    private func refused(
        _ refusal: Refusal, _ submission: Submission, isReplay: Bool = false
    ) -> Outcome {
        .refused(
            RefusedOutcome(
                refusal: refusal, isReplay: isReplay, requestID: submission.requestID))
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
}

extension Append {
    /// Adds the rows of every projection that events change, given the state after them.
    package mutating func project(_ events: [Event], onto state: LedgerState) {
        var touched: Set<WalletID> = []
        var openedHere: Set<WalletID> = []
        var holds: Set<HoldID> = []
        for event in events {
            entries.append(contentsOf: Entry.entries(of: event))
            touched.formUnion(event.balances.map(\.wallet))
            if let reference = event.reference {
                references.append(
                    ReferenceRecord(
                        key: reference.key,
                        use: ReferenceUse(id: reference.id, position: event.position)))
            }
            switch event.change {
            case .walletOpened(let id, _, _): openedHere.insert(id)
            case .holdPlaced(let id, _, _, _, _, _), .holdCaptured(_, let id, _, _),
                .holdReleased(let id, _, _, _), .holdExpired(let id, _, _, _, _):
                holds.insert(id)
            case .reversed(_, let original, let reversedTotal):
                reversals.append(
                    ReversalRecord(
                        position: original.embeddedPosition, reversedAmount: reversedTotal))
            case .deposited, .withdrawn, .transferred, .walletFrozen, .walletUnfrozen,
                .walletClosed:
                break
            }
            for case .external(let currency) in event.postings.map(\.account) {
                external[currency] = state.external[currency]
            }
        }
        opened = openedHere.sorted().compactMap { state.wallets[$0] }
        updated = touched.subtracting(openedHere).sorted().compactMap { state.wallets[$0] }
        self.holds = holds.sorted().compactMap { state.holds[$0] }
    }
}

extension Result where Success == Instruction, Failure == Refusal {
    /// Why there is no instruction.
    fileprivate var refusal: Refusal {
        switch self {
        case .success: Refusal(.validationFailed)
        case .failure(let refusal): refusal
        }
    }
}
