import WalletCore

/// The stable names of all error answers, with their status.
package enum ProblemCode: String, CaseIterable, Sendable {
    case malformedRequest = "MALFORMED_REQUEST"
    case idempotencyKeyRequired = "IDEMPOTENCY_KEY_REQUIRED"
    case unauthenticated = "UNAUTHENTICATED"
    case forbidden = "FORBIDDEN"
    case notFound = "NOT_FOUND"
    case walletNotFound = "WALLET_NOT_FOUND"
    case transactionNotFound = "TRANSACTION_NOT_FOUND"
    case holdNotFound = "HOLD_NOT_FOUND"
    case methodNotAllowed = "METHOD_NOT_ALLOWED"
    case notAcceptable = "NOT_ACCEPTABLE"
    case idempotencyInFlight = "IDEMPOTENCY_IN_FLIGHT"
    case referenceAlreadyUsed = "REFERENCE_ALREADY_USED"
    case tokenUnknown = "TOKEN_UNKNOWN"
    case versionMismatch = "VERSION_MISMATCH"
    case bodyTooLarge = "BODY_TOO_LARGE"
    case unsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
    case validationFailed = "VALIDATION_FAILED"
    case idempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED"
    case amountOutOfRange = "AMOUNT_OUT_OF_RANGE"
    case currencyUnknown = "CURRENCY_UNKNOWN"
    case currencyMismatch = "CURRENCY_MISMATCH"
    case insufficientFunds = "INSUFFICIENT_FUNDS"
    case balanceOverflow = "BALANCE_OVERFLOW"
    case sameWallet = "SAME_WALLET"
    case walletFrozen = "WALLET_FROZEN"
    case walletClosed = "WALLET_CLOSED"
    case walletNotEmpty = "WALLET_NOT_EMPTY"
    case holdNotOpen = "HOLD_NOT_OPEN"
    case holdExceeded = "HOLD_EXCEEDED"
    case alreadyReversed = "ALREADY_REVERSED"
    case reversalExceeded = "REVERSAL_EXCEEDED"
    case notReversible = "NOT_REVERSIBLE"
    case recipientUnavailable = "RECIPIENT_UNAVAILABLE"
    case batchRefused = "BATCH_REFUSED"
    case futureTimestamp = "FUTURE_TIMESTAMP"
    case headersTooLarge = "HEADERS_TOO_LARGE"
    case internalError = "INTERNAL_ERROR"
    case overloaded = "OVERLOADED"
    case writesUnavailable = "WRITES_UNAVAILABLE"
    case readsUnavailable = "READS_UNAVAILABLE"

    package var status: Int {
        switch self {
        case .malformedRequest, .idempotencyKeyRequired: 400
        case .unauthenticated: 401
        case .forbidden: 403
        case .notFound, .walletNotFound, .transactionNotFound, .holdNotFound: 404
        case .methodNotAllowed: 405
        case .notAcceptable: 406
        case .idempotencyInFlight, .referenceAlreadyUsed, .tokenUnknown: 409
        case .versionMismatch: 412
        case .bodyTooLarge: 413
        case .unsupportedMediaType: 415
        case .validationFailed, .idempotencyKeyReused, .amountOutOfRange, .currencyUnknown,
            .currencyMismatch, .insufficientFunds, .balanceOverflow, .sameWallet, .walletFrozen,
            .walletClosed, .walletNotEmpty, .holdNotOpen, .holdExceeded, .alreadyReversed,
            .reversalExceeded, .notReversible, .batchRefused, .recipientUnavailable,
            .futureTimestamp:
            422
        case .headersTooLarge: 431
        case .internalError: 500
        case .overloaded, .writesUnavailable, .readsUnavailable: 503
        }
    }

    /// Whether the same request may succeed when it is sent again.
    var isRetryable: Bool { status >= 500 || self == .idempotencyInFlight }

    /// The last part of the problem's type, `insufficient-funds`.
    var slug: String {
        String(rawValue.lowercased().map { $0 == "_" ? "-" : $0 })
    }

    /// The code in words, `Insufficient funds`.
    var title: String {
        let words = rawValue.lowercased().map { $0 == "_" ? " " : $0 }
        return String(words.prefix(1)).uppercased() + String(words.dropFirst())
    }

    init(_ code: Refusal.Code) {
        switch code {
        case .walletNotFound: self = .walletNotFound
        case .transactionNotFound: self = .transactionNotFound
        case .holdNotFound: self = .holdNotFound
        case .referenceAlreadyUsed: self = .referenceAlreadyUsed
        case .versionMismatch: self = .versionMismatch
        case .validationFailed: self = .validationFailed
        case .idempotencyKeyReused: self = .idempotencyKeyReused
        case .amountOutOfRange: self = .amountOutOfRange
        case .currencyUnknown: self = .currencyUnknown
        case .currencyMismatch: self = .currencyMismatch
        case .insufficientFunds: self = .insufficientFunds
        case .balanceOverflow: self = .balanceOverflow
        case .sameWallet: self = .sameWallet
        case .walletFrozen: self = .walletFrozen
        case .walletClosed: self = .walletClosed
        case .walletNotEmpty: self = .walletNotEmpty
        case .holdNotOpen: self = .holdNotOpen
        case .holdExceeded: self = .holdExceeded
        case .alreadyReversed: self = .alreadyReversed
        case .reversalExceeded: self = .reversalExceeded
        case .notReversible: self = .notReversible
        case .recipientUnavailable: self = .recipientUnavailable
        case .forbidden: self = .forbidden
        case .batchRefused: self = .batchRefused
        }
    }
}
