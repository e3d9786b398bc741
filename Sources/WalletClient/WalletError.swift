/// Why a call has no result.
///
/// ``code`` says what to do, ``detail`` what to tell a developer. Errors never hold the credential.
public struct WalletError: Error, Hashable, Sendable {
    /// What kind of failure it is.
    public enum Kind: Hashable, Sendable {
        /// The service said no (4xx). The call changed nothing.
        case refused
        /// The service could not say yes or no (5xx, 429, or a 409 in flight), as often as it was
        /// asked; or it said no to the last attempt without a look at the key (400, 401, 403 and
        /// the like) after an earlier one had no certain answer. A write may or may not have
        /// happened; its ``WalletError/idempotencyKey`` tells.
        case unavailable
        /// No whole, readable answer came. As with `unavailable`, the key tells.
        case transport
        /// The call cannot be sent as it is; nothing was.
        case invalidRequest
        /// The task was cancelled. A write may or may not have happened.
        case cancelled
    }

    /// What kind of failure it is.
    public var kind: Kind
    /// The stable name of the reason, to be compared with the constants of ``Code``.
    public var code: Code
    /// The status of the answer; `nil` where there was none.
    public var status: Int?
    /// One sentence about this case.
    public var detail: String
    /// Whether the same call, with the same idempotency key, may succeed later.
    public var isRetryable: Bool
    /// The service's name for the request, to be found in its logs.
    public var requestID: String?
    /// What the problem says beyond its standard members, such as `available` and `requested`.
    public var members: [String: JSONValue]
    /// The key under which a write was sent: to send it again safely, or to ask
    /// ``WalletClient/outcome(of:)``.
    public var idempotencyKey: IdempotencyKey?
    /// How often it was sent.
    public var attempts: Int
    /// How long the service asks to be left alone, from `Retry-After`.
    public var retryAfter: Duration?
    /// Whether this is the first answer to the idempotency key, given again.
    public var isReplay: Bool

    init(
        _ kind: Kind, _ code: Code, _ detail: String, status: Int? = nil, isRetryable: Bool = false
    ) {
        self.kind = kind
        self.code = code
        self.status = status
        self.detail = detail
        self.isRetryable = isRetryable
        members = [:]
        attempts = 0
        isReplay = false
    }
}

extension WalletError {
    /// The stable name of a reason. Names that this version does not know are kept as they are.
    public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
        /// The name as the service writes it, `INSUFFICIENT_FUNDS`.
        public var rawValue: String

        /// A code by its name.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The name.
        public var description: String { rawValue }
    }
}

extension WalletError.Code {
    /// The request is not well-formed (400).
    public static let malformedRequest = Self(rawValue: "MALFORMED_REQUEST")
    /// A write without an idempotency key (400); this library always sends one.
    public static let idempotencyKeyRequired = Self(rawValue: "IDEMPOTENCY_KEY_REQUIRED")
    /// No credential, or one that does not work any more (401).
    public static let unauthenticated = Self(rawValue: "UNAUTHENTICATED")
    /// The credential does not allow this (403).
    public static let forbidden = Self(rawValue: "FORBIDDEN")
    /// There is no such thing (404).
    public static let notFound = Self(rawValue: "NOT_FOUND")
    /// There is no such wallet (404).
    public static let walletNotFound = Self(rawValue: "WALLET_NOT_FOUND")
    /// There is no such transaction (404).
    public static let transactionNotFound = Self(rawValue: "TRANSACTION_NOT_FOUND")
    /// There is no such hold (404).
    public static let holdNotFound = Self(rawValue: "HOLD_NOT_FOUND")
    /// The path exists, but not with this method (405).
    public static let methodNotAllowed = Self(rawValue: "METHOD_NOT_ALLOWED")
    /// The answer cannot be had in the form that was asked for (406).
    public static let notAcceptable = Self(rawValue: "NOT_ACCEPTABLE")
    /// The first request under this key is still running (409); send it again.
    public static let idempotencyInFlight = Self(rawValue: "IDEMPOTENCY_IN_FLIGHT")
    /// The reference was used before, under another key (409).
    public static let referenceAlreadyUsed = Self(rawValue: "REFERENCE_ALREADY_USED")
    /// The token is of another timeline of the ledger (409): it was restored from a backup.
    public static let tokenUnknown = Self(rawValue: "TOKEN_UNKNOWN")
    /// The header has too many fields, or too large ones (431).
    public static let headersTooLarge = Self(rawValue: "HEADERS_TOO_LARGE")
    /// The wallet has changed since the expected version (412).
    public static let versionMismatch = Self(rawValue: "VERSION_MISMATCH")
    /// The body is larger than the service takes (413).
    public static let bodyTooLarge = Self(rawValue: "BODY_TOO_LARGE")
    /// The body is not JSON (415).
    public static let unsupportedMediaType = Self(rawValue: "UNSUPPORTED_MEDIA_TYPE")
    /// A member has a value that is not allowed (422).
    public static let validationFailed = Self(rawValue: "VALIDATION_FAILED")
    /// The idempotency key was used for another request (422).
    public static let idempotencyKeyReused = Self(rawValue: "IDEMPOTENCY_KEY_REUSED")
    /// The amount is not within 1 … 2^53 − 1 minor units (422).
    public static let amountOutOfRange = Self(rawValue: "AMOUNT_OUT_OF_RANGE")
    /// There is no such currency (422).
    public static let currencyUnknown = Self(rawValue: "CURRENCY_UNKNOWN")
    /// The wallet is in another currency (422).
    public static let currencyMismatch = Self(rawValue: "CURRENCY_MISMATCH")
    /// The wallet has less available than was asked for (422).
    public static let insufficientFunds = Self(rawValue: "INSUFFICIENT_FUNDS")
    /// The balance would exceed 2^53 − 1 minor units (422).
    public static let balanceOverflow = Self(rawValue: "BALANCE_OVERFLOW")
    /// Money cannot go from a wallet to itself (422).
    public static let sameWallet = Self(rawValue: "SAME_WALLET")
    /// The wallet is frozen and lets no money out (422).
    public static let walletFrozen = Self(rawValue: "WALLET_FROZEN")
    /// The wallet is closed (422).
    public static let walletClosed = Self(rawValue: "WALLET_CLOSED")
    /// A wallet that is not empty does not close (422).
    public static let walletNotEmpty = Self(rawValue: "WALLET_NOT_EMPTY")
    /// The hold was captured or released, or has expired (422).
    public static let holdNotOpen = Self(rawValue: "HOLD_NOT_OPEN")
    /// More than the hold has (422).
    public static let holdExceeded = Self(rawValue: "HOLD_EXCEEDED")
    /// All of the transaction has been reversed already (422).
    public static let alreadyReversed = Self(rawValue: "ALREADY_REVERSED")
    /// More than is left to reverse (422).
    public static let reversalExceeded = Self(rawValue: "REVERSAL_EXCEEDED")
    /// A transaction of this kind cannot be reversed (422).
    public static let notReversible = Self(rawValue: "NOT_REVERSIBLE")
    /// The instant is later than now (422).
    public static let futureTimestamp = Self(rawValue: "FUTURE_TIMESTAMP")
    /// The recipient cannot take the money (422); why is not a user's to know.
    public static let recipientUnavailable = Self(rawValue: "RECIPIENT_UNAVAILABLE")
    /// An atomic batch of which an operation failed: none was done (422).
    public static let batchRefused = Self(rawValue: "BATCH_REFUSED")
    /// Too many requests (429).
    public static let rateLimited = Self(rawValue: "RATE_LIMITED")
    /// The service has a bug, or its database refused the request (500).
    public static let internalError = Self(rawValue: "INTERNAL_ERROR")
    /// Too many requests are waiting (503).
    public static let overloaded = Self(rawValue: "OVERLOADED")
    /// The ledger cannot be written now (503).
    public static let writesUnavailable = Self(rawValue: "WRITES_UNAVAILABLE")
    /// The instance is not ready (503).
    public static let readsUnavailable = Self(rawValue: "READS_UNAVAILABLE")

    /// An answer without a problem document, as from a proxy in between.
    public static let unexplained = Self(rawValue: "UNEXPLAINED")
    /// The service could not be reached, or the connection was lost.
    public static let connectionFailed = Self(rawValue: "CONNECTION_FAILED")
    /// No answer within the time allowed.
    public static let timedOut = Self(rawValue: "TIMED_OUT")
    /// An answer that is cut short, too large, or not what the contract says.
    public static let unreadableAnswer = Self(rawValue: "UNREADABLE_ANSWER")
    /// The call cannot be sent as it is.
    public static let invalidRequest = Self(rawValue: "INVALID_REQUEST")
    /// The task was cancelled.
    public static let cancelled = Self(rawValue: "CANCELLED")
}

extension WalletError: CustomStringConvertible {
    /// Code, detail and request, in one line.
    public var description: String {
        let request = requestID.map { " (request \($0))" } ?? ""
        return "\(code): \(detail)\(request)"
    }
}

extension WalletError {
    /// An answer of 4xx or 5xx; problems that this version does not know are kept as they are.
    init(status: Int, problem: JSONValue?) {
        let members = problem?.object ?? [:]
        let code = members["code"]?.string.map(Code.init(rawValue:)) ?? .unexplained
        let isRetryable = members["retryable"]?.bool ?? WalletError.isTransient(status)
        self.init(
            isRetryable || status >= 500 ? .unavailable : .refused, code,
            members["detail"]?.string ?? "The answer was \(status), without an explanation.",
            status: status, isRetryable: isRetryable)
        requestID = members["requestId"]?.string
        let standard = ["type", "title", "status", "detail", "code", "retryable", "requestId"]
        self.members = members.filter { !standard.contains($0.key) }
    }

    /// Whether a write that failed so may have happened, or be happening still.
    var leavesItOpen: Bool {
        switch kind {
        case .unavailable: status != 429
        case .transport, .cancelled: true
        case .refused, .invalidRequest: false
        }
    }

    /// Whether it was answered before the idempotency key was looked up, by a proxy perhaps, and
    /// so says nothing about attempts made earlier.
    var isBeforeTheKey: Bool {
        kind == .refused
            && (code == .unexplained || [400, 401, 403, 405, 406, 413, 415, 431].contains(status))
    }

    /// Statuses that a proxy gives for a moment.
    private static func isTransient(_ status: Int) -> Bool {
        [408, 429, 500, 502, 503, 504].contains(status)
    }

    static func invalid(_ detail: String) -> WalletError {
        WalletError(.invalidRequest, .invalidRequest, detail)
    }

    static func unreadable(_ detail: String) -> WalletError {
        WalletError(.transport, .unreadableAnswer, detail, isRetryable: true)
    }

    static var cancelled: WalletError {
        WalletError(.cancelled, .cancelled, "The task was cancelled.", isRetryable: true)
    }
}
