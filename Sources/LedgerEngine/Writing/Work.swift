import Synchronization
import WalletCore

/// One indivisible unit of the write queue: it is committed whole, with or without neighbours.
enum Work: Sendable {
    case single(Submission)
    case batch(BatchSubmission)
    /// Records that holds of the whole ledger have expired, at most so many.
    case sweep(Int)

    /// The callers' requests in it.
    var submissions: [Submission] {
        switch self {
        case .single(let submission): [submission]
        case .batch(let batch): (try? batch.request.get()) ?? []
        case .sweep: []
        }
    }

    /// Every idempotency key in it.
    var keys: [Digest] {
        switch self {
        case .single(let submission): [submission.key]
        case .batch(let batch): [batch.key] + submissions.map(\.key)
        case .sweep: []
        }
    }

    /// How many commands of callers it has.
    var commands: Int {
        switch self {
        case .single: 1
        case .batch: max(1, submissions.count)
        case .sweep: 0
        }
    }

    /// How many holds of the whole ledger it expires at most.
    var sweptHolds: Int {
        switch self {
        case .single, .batch: 0
        case .sweep(let limit): limit
        }
    }

    /// How many events it leads to, roughly; what the limits of queue and transaction count.
    var size: Int { commands + sweptHolds }

    /// What it adds to the log and its projections, roughly, in bytes.
    var weight: Int {
        switch self {
        case .single(let submission): submission.weight
        case .batch: submissions.reduce(1_200) { $0 + $1.weight }
        case .sweep(let limit): limit * 600
        }
    }
}

/// What became of a unit of work.
enum WorkOutcome: Sendable {
    case single(Outcome)
    case batch(BatchOutcome)
    case sweep(Int)
}

/// A unit of work and its caller, who is answered once.
final class PendingWork: Sendable {
    /// The outcome, with the head that it is part of.
    typealias Settled = (outcome: WorkOutcome, token: ConsistencyToken)
    typealias Answered = CheckedContinuation<Result<Settled, SubmissionError>, Never>

    let work: Work
    /// See ``Work/size``, counted once.
    let size: Int
    /// See ``Work/weight``, counted once.
    let weight: Int
    let deadline: ContinuousClock.Instant
    private let caller = Mutex<Answered?>(nil)

    init(_ work: Work, deadline: ContinuousClock.Instant) {
        self.work = work
        self.deadline = deadline
        size = work.size
        weight = work.weight
    }

    func wait(with continuation: Answered) {
        caller.withLock { $0 = continuation }
    }

    /// Answers the caller; does nothing when it has been answered.
    func finish(_ result: Result<Settled, SubmissionError>) {
        let caller = caller.withLock { caller in
            defer { caller = nil }
            return caller
        }
        caller?.resume(returning: result)
    }
}
