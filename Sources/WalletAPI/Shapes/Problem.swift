import LedgerEngine
import WalletCore

/// An error answer: `application/problem+json` (RFC 9457) with a stable code.
struct Problem: Error, Sendable {
    var code: ProblemCode
    var detail: String
    /// Members that help, after the standard ones.
    var members: [Refusal.Member] = []
    /// Of an atomic batch: the problem of each operation, `nil` for those that would have
    /// succeeded.
    var operations: [Problem?] = []
    /// Names the request; that of the first attempt when a remembered refusal is given again.
    var requestID: String?
    var isReplay = false
    /// The place of the log that the answer reflects, where it came from the ledger.
    var token: ConsistencyToken?
    /// For 405: the methods that the path has.
    var allow: [String] = []

    init(_ code: ProblemCode, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// What every problem's type begins with. It names problems and is no address to fetch.
    static let typeBase = "https://wallet-service.example/problems/"

    static func malformed(_ detail: String) -> Problem { Problem(.malformedRequest, detail) }

    /// The body. Nothing in it comes from a database's message, a path or a host.
    func body(requestID: String) -> [UInt8] {
        var json = CanonicalJSON()
        json.beginObject()
        json.member("type", Problem.typeBase + code.slug)
        json.member("title", code.title)
        json.member("status", Int64(code.status))
        json.member("detail", detail)
        json.member("code", code.rawValue)
        json.member("retryable", code.isRetryable)
        json.member("requestId", self.requestID ?? requestID)
        for member in members {
            switch member.value {
            case .integer(let value):
                json.key(escaping: member.name)
                json.integer(value)
            case .text(let value): json.member(escaping: member.name, value)
            }
        }
        if !operations.isEmpty {
            json.key("results")
            json.beginArray()
            for operation in operations {
                json.operation(operation, requestID: self.requestID ?? requestID)
            }
            json.endArray()
        }
        json.endObject()
        return json.bytes
    }
}

extension Problem {
    /// A refusal of the ledger.
    init(_ refusal: Refusal) {
        self.init(ProblemCode(refusal.code), refusal.detail)
        members = refusal.members
        operations = refusal.operations.map { $0.map { Problem($0) } }
    }

    /// What is asked for does not exist, as of a reading.
    init<Value>(missing code: Refusal.Code, in reading: Reading<Value>) {
        self.init(Refusal(code))
        token = reading.token
    }

    /// A remembered or new refusal of a submission.
    init(_ outcome: RefusedOutcome) {
        self.init(outcome.refusal)
        requestID = outcome.requestID
        isReplay = outcome.isReplay
    }

    /// A submission without an outcome.
    init(_ error: SubmissionError) {
        switch error {
        case .overloaded:
            self.init(
                .overloaded, "Too many requests are waiting. Send it again with the same key.")
        case .stopping:
            self.init(
                .writesUnavailable, "This instance is stopping. Send it again with the same key.")
        case .timedOutInQueue:
            self.init(.overloaded, "It waited too long. Send it again with the same key.")
        case .timedOut:
            self.init(
                .writesUnavailable,
                "The outcome is not known yet. Send it again with the same key to learn it.")
        case .inFlight:
            self.init(
                .idempotencyInFlight,
                "A request with this key is still being worked on. Send it again with the same key."
            )
        case .unavailable:
            self.init(
                .writesUnavailable,
                "The ledger cannot be written now. Send it again with the same key.")
        case .rejected:
            self.init(.internalError, "The ledger's database refused this request's data.")
        }
    }

    /// A read without an answer.
    init(_ error: QueryError) {
        switch error {
        case .unknownToken:
            self.init(
                .tokenUnknown,
                "The ledger does not know this Consistency-Token: it is ahead of the log, or its "
                    + "timeline was lost in a restore. Read again without it.")
        case .futureTimestamp(let token):
            self.init(
                .futureTimestamp, "The instant asked for, or the period's start, is later than now."
            )
            self.token = token
        }
    }
}

extension CanonicalJSON {
    /// What stood in the way of an operation of a batch that was refused, if anything did.
    fileprivate mutating func operation(_ problem: Problem?, requestID: String) {
        beginObject()
        member("wouldSucceed", problem == nil)
        if let problem {
            member("status", Int64(problem.code.status))
            key("problem")
            raw(problem.body(requestID: requestID))
        }
        endObject()
    }
}

extension Refusal {
    /// One sentence for the caller.
    fileprivate var detail: String {
        switch code {
        case .walletNotFound: "There is no such wallet."
        case .transactionNotFound: "There is no such transaction."
        case .holdNotFound: "There is no such hold."
        case .referenceAlreadyUsed: "This reference was used before, under another key."
        case .versionMismatch: "The wallet has changed since the version in If-Match."
        case .validationFailed: "A member has a value that is not allowed."
        case .idempotencyKeyReused: "This Idempotency-Key was used for another request."
        case .amountOutOfRange: "The amount must be from 1 to 9007199254740991 minor units."
        case .currencyUnknown: "The currency is not an active ISO 4217 code in upper case."
        case .currencyMismatch: "The wallet is in another currency."
        case .insufficientFunds: "The wallet has less available than was asked for."
        case .balanceOverflow: "The balance would exceed what the ledger can hold."
        case .sameWallet: "Money cannot go from a wallet to itself."
        case .walletFrozen: "The wallet is frozen: it lets no money out."
        case .walletClosed: "The wallet is closed."
        case .walletNotEmpty: "The wallet is not empty."
        case .holdNotOpen: "The hold is not open any more."
        case .holdExceeded: "More than the hold has."
        case .alreadyReversed: "All of the transaction has been reversed already."
        case .reversalExceeded: "More than is left to reverse."
        case .notReversible: "A reversal cannot be reversed."
        case .recipientUnavailable: "The recipient cannot take this money."
        case .forbidden: "A user's token does not allow this."
        case .batchRefused: "Not all of the operations can be done, so none was."
        }
    }
}
