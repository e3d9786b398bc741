import WalletCore

/// Takes units of work through one transaction: keys, state, decisions, writes.
struct CommitExecutor: Sendable {
    /// How far the head may be ahead of the database's clock before writes stop, in microseconds.
    static let headLead: Int64 = 5_000_000
    /// How long a refusal is remembered, in microseconds: eight days, a day more than promised.
    static let refusalRetention: Int64 = 8 * 86_400 * 1_000_000
    /// How many refusals one transaction forgets at most.
    static let pruneLimit = 1_000

    /// Random bits for identifiers.
    let entropy: @Sendable () -> UInt64

    /// The outcomes, in the order of the units, and the head afterwards.
    struct Result: Sendable {
        var outcomes: [WorkOutcome]
        var head: Head
        /// Whether there may be more refusals to forget.
        var prunesAgain: Bool
    }

    /// Decides and appends.
    ///
    /// - Parameters:
    ///   - work: what is asked, in the order in which it takes effect.
    ///   - unresolved: keys that an earlier attempt at this same work did not find; if they are
    ///     found now, that attempt was committed after all, and its answers are no replays.
    ///   - prunes: whether this transaction also forgets old refusals.
    ///   - missing: is told the keys that this attempt did not find, before anything is written.
    func execute(
        _ work: [Work], unresolved: Set<Digest>, prunes: Bool,
        in transaction: any LedgerTransaction, missing: (Set<Digest>) -> Void
    ) throws -> Result {
        try transaction.requireFinishedImport()
        let head = try transaction.head()
        let now = try transaction.now()
        guard head.recordedAt.microseconds - now.microseconds <= CommitExecutor.headLead else {
            throw StoreError.unavailable(reason: "the log's head is ahead of the clock")
        }
        var commit = Commit(head: head, now: now, entropy: entropy)
        try commit.loadKnown(work, unresolved: unresolved, from: transaction)
        missing(commit.missingKeys(of: work))
        try commit.loadState(for: work, from: transaction)
        let outcomes = work.map { commit.settle($0) }
        if let append = commit.append() { try transaction.append(append) }
        var prunesAgain = false
        if prunes {
            let limit = now.advanced(byMicroseconds: -CommitExecutor.refusalRetention)
            let pruned = try transaction.pruneRefusals(
                recordedBefore: limit, atMost: CommitExecutor.pruneLimit)
            prunesAgain = pruned == CommitExecutor.pruneLimit
        }
        return Result(outcomes: outcomes, head: commit.head, prunesAgain: prunesAgain)
    }
}
