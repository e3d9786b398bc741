package import LedgerEngine
import Synchronization
package import WalletCore

/// Shorthand for values that tests need.
package enum Fixture {
    package static let shop = Actor.apiKey(id: "key_1", principal: "shop")
    package static let ledger = LedgerID(
        recordedAt: ManualClock.start, position: 0, entropy: 7)

    package static func currency(_ code: String) -> Currency {
        guard let currency = Currency(code) else { preconditionFailure("no currency \(code)") }
        return currency
    }

    package static func amount(_ minorUnits: Int64) -> Amount {
        guard let amount = Amount(minorUnits) else { preconditionFailure("no amount") }
        return amount
    }

    /// A submission of a command under a key.
    package static func submission(
        _ command: Command, key: String, by actor: Actor = shop, text: FreeText = FreeText(),
        ifMatch: Int64? = nil
    ) -> Submission {
        Submission(
            .success(Instruction(command, text: text, ifMatch: ifMatch)), command: command.kind,
            by: actor, idempotencyKey: key, requestID: "request-of-\(key)",
            salt: { Array(repeating: 9, count: 16) })
    }

    /// A batch of submissions under a key.
    package static func batch(
        _ operations: [Submission], key: String, isAtomic: Bool, by actor: Actor = shop
    ) -> BatchSubmission {
        BatchSubmission(
            operations, isAtomic: isAtomic, by: actor, idempotencyKey: key,
            requestID: "request-of-\(key)")
    }
}

/// Random bits in a known order, for identifiers.
package final class SeededEntropy: Sendable {
    private let generator: Mutex<SeededGenerator>

    package init(seed: UInt64) {
        generator = Mutex(SeededGenerator(seed: seed))
    }

    package func next() -> UInt64 { generator.withLock { $0.next() } }
}

extension BatchOutcome {
    /// The outcomes of the operations; `nil` where the batch was refused.
    package var outcomes: [Outcome]? {
        switch self {
        case .settled(let outcomes, _): outcomes
        case .refused: nil
        }
    }

    /// Why the batch was refused.
    package var refusal: Refusal? {
        switch self {
        case .settled: nil
        case .refused(let outcome): outcome.refusal
        }
    }

    package var isReplay: Bool {
        switch self {
        case .settled(_, let isReplay): isReplay
        case .refused(let outcome): outcome.isReplay
        }
    }
}

extension Outcome {
    /// The event that was recorded.
    package var event: Event? {
        switch self {
        case .recorded(let outcome): outcome.event
        case .refused: nil
        }
    }

    /// The code of the refusal.
    package var code: Refusal.Code? {
        switch self {
        case .recorded: nil
        case .refused(let outcome): outcome.refusal.code
        }
    }

    package var isReplay: Bool {
        switch self {
        case .recorded(let outcome): outcome.isReplay
        case .refused(let outcome): outcome.isReplay
        }
    }

    /// The wallet that was opened.
    package var openedWallet: WalletID? {
        guard case .walletOpened(let id, _, _)? = event?.change else { return nil }
        return id
    }
}
