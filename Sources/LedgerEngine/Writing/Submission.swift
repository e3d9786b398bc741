package import WalletCore

/// A caller's request on its way into the log.
package struct Submission: Sendable {
    /// What is asked; or why it cannot even be a command, which is told only after the key has
    /// been looked up, because a known key has the first word.
    package var request: Result<Instruction, Refusal>
    package var actor: Actor
    package var command: CommandKind
    /// See ``Digest/idempotencyKey(_:of:)``.
    package var key: Digest
    /// Absent where there is no instruction to take it of.
    package var fingerprint: Digest?
    package var text: SaltedText?
    package var requestID: String

    /// A submission of a request under an idempotency key.
    ///
    /// - Parameters:
    ///   - salt: 16 random bytes, used if the instruction has free text.
    ///   - idempotencyKey: the caller's key, 1 … 255 visible ASCII characters.
    package init(
        _ request: Result<Instruction, Refusal>, command: CommandKind, by actor: Actor,
        idempotencyKey: String, requestID: String, salt: () -> [UInt8]
    ) {
        self.request = request
        self.actor = actor
        self.command = command
        self.requestID = requestID
        key = .idempotencyKey(idempotencyKey, of: actor)
        guard case .success(let instruction) = request else { return }
        fingerprint = .fingerprint(instruction, key: idempotencyKey, of: actor)
        if !instruction.text.isEmpty {
            text = SaltedText(salt: salt(), text: instruction.text)
        }
    }

    /// What it adds to the log and its projections, roughly, in bytes.
    var weight: Int {
        let text = self.text?.text
        let pairs = text?.metadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count } ?? 0
        return 1_200 + pairs + (text?.description?.utf8.count ?? 0)
    }
}

/// What became of a submission.
package enum Outcome: Sendable {
    case recorded(RecordedOutcome)
    case refused(RefusedOutcome)
}

/// An event that is in the log.
package struct RecordedOutcome: Sendable {
    package var event: Event
    /// Empty where there was none or it has been erased.
    package var text: FreeText
    /// Whether an earlier request with the same key made it.
    package var isReplay: Bool
}

/// A refusal.
package struct RefusedOutcome: Sendable {
    package var refusal: Refusal
    package var isReplay: Bool
    /// Of the request that was refused first.
    package var requestID: String
}

/// An outcome, with the head that it is part of.
package struct Answer: Sendable {
    package var outcome: Outcome
    package var token: ConsistencyToken
}

/// Why a submission has no outcome; always worth another try with the same key.
package enum SubmissionError: Error, Hashable {
    /// The queue is full; nothing was done.
    case overloaded
    /// The service is stopping; nothing was done.
    case stopping
    /// It waited too long before its turn came; nothing was done.
    case timedOutInQueue
    /// It waited too long, and its key is that of a command which is being executed; by this one
    /// nothing was done.
    case inFlight
    /// No answer in time; it may still happen, or have happened.
    case timedOut
    /// The store cannot write now; nothing was done, or the key will tell.
    case unavailable
    /// The database refuses this one command's data; nothing was done.
    case rejected
}
