package import WalletCore

/// Up to a thousand requests that are settled in one transaction: all of them or none, or each on
/// its own.
///
/// Operation keys live in the same space as those of single requests and settle each operation,
/// whether it came alone or in a batch. The batch's own key stands for the whole of it.
package struct BatchSubmission: Sendable {
    /// How many operations a batch may have.
    package static let sizes = 1...1_000

    /// The operations in order; or why they are no batch, which is told only after the key has
    /// been looked up.
    package var request: Result<[Submission], Refusal>
    /// Whose batch it is, and each of its operations.
    package var actor: Actor
    /// Whether all of the operations happen or none.
    package var isAtomic: Bool
    /// See ``Digest/idempotencyKey(_:of:)``.
    package var key: Digest
    /// Absent where there are no operations to take it of.
    package var fingerprint: Digest?
    package var requestID: String

    /// A batch under an idempotency key, which must be unlike those of its operations.
    ///
    /// - Parameter operations: submissions of the same caller, each with its own key.
    package init(
        _ operations: [Submission], isAtomic: Bool, by actor: Actor, idempotencyKey: String,
        requestID: String
    ) {
        self.actor = actor
        self.isAtomic = isAtomic
        self.requestID = requestID
        key = .idempotencyKey(idempotencyKey, of: actor)
        guard BatchSubmission.sizes.contains(operations.count) else {
            request = .failure(.operations(allowed: "1 to 1000 operations"))
            return
        }
        guard Set(operations.map(\.key)).union([key]).count == operations.count + 1 else {
            request = .failure(.operations(allowed: "keys that differ from one another"))
            return
        }
        request = .success(operations)
        fingerprint = .fingerprint(
            ofBatch: operations.map(\.meaning), isAtomic: isAtomic, key: idempotencyKey, of: actor)
    }

    func refused(_ refusal: Refusal) -> BatchOutcome {
        .refused(RefusedOutcome(refusal: refusal, isReplay: false, requestID: requestID))
    }
}

extension Refusal {
    fileprivate static func operations(allowed: String) -> Refusal {
        Refusal(
            .validationFailed,
            [.init("field", .text("operations")), .init("allowed", .text(allowed))])
    }

    /// What is remembered under the key of a batch from which no event came, so that the key is
    /// known. It is no answer: each operation is answered by its own key.
    static func settledBatch(of size: Int) -> Refusal {
        Refusal(.batchRefused, [.init("size", .integer(Int64(size)))])
    }

    /// The size of the batch that ``settledBatch(of:)`` stands for; `nil` for every refusal that
    /// is one.
    var settledBatchSize: Int? {
        guard code == .batchRefused, operations.isEmpty,
            case .integer(let size)? = members.first?.value
        else { return nil }
        return Int(exactly: size)
    }
}

extension Submission {
    /// What the operation means to the fingerprint of its batch: its own fingerprint, or, where it
    /// cannot be a command, its key and the refusal that it is sure to meet.
    fileprivate var meaning: Digest {
        switch request {
        case .success: fingerprint ?? .zero
        case .failure(let refusal): .sha256(key.bytes, refusal.canonicalBytes)
        }
    }
}

extension Digest {
    /// The fingerprint of a batch under a key: of the caller's scope, the key, and the meaning of
    /// every operation in order. Fixed by a golden value, since events keep it.
    package static func fingerprint(
        ofBatch operations: [Digest], isAtomic: Bool, key: String, of actor: Actor
    ) -> Digest {
        var bytes = actor.scope
        bytes.appendLengthPrefixed(key)
        var json = CanonicalJSON(capacity: 64 + 67 * operations.count)
        json.beginObject()
        json.member("kind", "batch")
        json.member("atomic", isAtomic)
        json.key("operations")
        json.beginArray()
        for operation in operations { json.quoted { operation.append(to: &$0) } }
        json.endArray()
        json.endObject()
        return sha256(bytes, json.bytes)
    }
}

/// What became of a batch.
package enum BatchOutcome: Sendable {
    /// The outcomes of the operations, in their order. `isReplay` tells whether an earlier request
    /// with the same key settled them.
    case settled([Outcome], isReplay: Bool)
    /// Nothing was done. Of a platform's atomic batch, ``Refusal/operations`` says why.
    case refused(RefusedOutcome)
}

/// A batch's outcome, with the head that it is part of.
package struct BatchAnswer: Sendable {
    package var outcome: BatchOutcome
    package var token: ConsistencyToken
}
