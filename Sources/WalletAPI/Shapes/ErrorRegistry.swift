/// Every error answer explained, as the page docs/errors.md.
package enum ErrorRegistry {
    package static var markdown: String {
        var text = """
            # Errors

            Every 4xx and 5xx is `application/problem+json` (RFC 9457). Match on `code`, which is \
            stable; `title` and `detail` are for people. `type` is the code as a URI, \
            `\(Problem.typeBase)` and the code in lower case with hyphens: it names the problem \
            and need not be fetched; this page is what it stands for, and every instance shows it \
            at `/docs`.

            A 4xx says that this attempt changed nothing. Whether an earlier one with the same \
            `Idempotency-Key` did, only that key's answer tells. `retryable` says that the same \
            request may succeed when it is sent again, with the same key.

            This page is made by `wallet docs errors` from the code that gives the answers.

            """
        for code in ProblemCode.allCases {
            text += """

                ## \(code.rawValue)

                **\(code.status)**, \(code.title.lowercased()). \
                \(code.isRetryable ? "Retryable" : "Not retryable"). \
                Type `\(code.slug)`.

                \(code.cause)

                *What to do:* \(code.remedy)

                """
        }
        return text
    }
}

extension ProblemCode {
    /// When it happens.
    fileprivate var cause: String {
        switch self {
        case .malformedRequest:
            """
            The request is not well-formed: the body is no JSON object, has a member twice, one \
            that the call does not know, or one of the wrong kind; a parameter, identifier, time, \
            cursor or header cannot be read.
            """
        case .idempotencyKeyRequired: "A write came without an `Idempotency-Key` header."
        case .unauthenticated:
            "There is no bearer token, or it is not known, not valid any more or revoked."
        case .forbidden:
            """
            The token is valid and does not allow this: it lacks the scope, the call is the \
            platform's alone, or a user has as many wallets in the currency as a user may.
            """
        case .notFound: "There is nothing at this path, or no such thing for this caller."
        case .walletNotFound: "There is no wallet with this identifier for this caller."
        case .transactionNotFound: "There is no transaction with this identifier for this caller."
        case .holdNotFound: "There is no hold with this identifier for this caller."
        case .methodNotAllowed: "The path exists, with the methods that `Allow` lists."
        case .notAcceptable: "`Accept` names no kind of answer that the call has."
        case .idempotencyInFlight:
            "The first request with this `Idempotency-Key` is still being worked on."
        case .referenceAlreadyUsed:
            """
            A movement or hold of this wallet by this principal has the same `reference` under \
            another key; `transactionId` or `holdId` names it.
            """
        case .tokenUnknown:
            """
            The `Consistency-Token`, or the place in the log that was named, is ahead of the log \
            or of a timeline that was lost in a restore.
            """
        case .versionMismatch:
            "The wallet is no longer at the version in `If-Match`; `version` is where it is."
        case .bodyTooLarge: "The body is larger than the instance takes, 1 MiB by default."
        case .unsupportedMediaType: "The `Content-Type` is not `application/json`."
        case .validationFailed:
            """
            A member is well-formed and its value is not allowed: `field` says which, `allowed` \
            what would be.
            """
        case .idempotencyKeyReused:
            "The `Idempotency-Key` was used before for a request that said something else."
        case .amountOutOfRange: "The amount is not from `minimum` to `maximum` minor units."
        case .currencyUnknown: "The currency is not an active ISO 4217 code in upper case."
        case .currencyMismatch: "The wallet is in another currency than the one asked for."
        case .insufficientFunds:
            "The wallet has less `available` than was `requested`; held money does not count."
        case .balanceOverflow: "The wallet would come to more than 9007199254740991 minor units."
        case .sameWallet: "A transfer or capture goes to the wallet that it comes from."
        case .walletFrozen: "The wallet is frozen, and this would take money out of it."
        case .walletClosed: "The wallet is closed, for good."
        case .walletNotEmpty: "A wallet with money in it, or with open holds, does not close."
        case .holdNotOpen:
            "The hold has been captured, released or has expired; `holdStatus` says which."
        case .holdExceeded: "More was to be captured than the hold has, which is `allowed`."
        case .alreadyReversed: "Nothing of the transaction is left to take back."
        case .reversalExceeded:
            "More was to be taken back than is left of the transaction, which is `allowed`."
        case .notReversible: "A reversal cannot itself be reversed."
        case .recipientUnavailable:
            """
            The wallet that a user would pay does not exist, is closed, is in another currency or \
            would overflow; which of these is not the user's business.
            """
        case .batchRefused:
            """
            An operation of an atomic batch cannot be done, so none was; `results` says of each \
            what stood in the way, unless a user sent it.
            """
        case .futureTimestamp: "The instant, or the beginning of the period, has not come yet."
        case .headersTooLarge:
            "The header has more than 100 fields, or they are over 16 KiB each or 32 KiB in all."
        case .internalError: "A fault of the service. It is in the log under `requestId`."
        case .overloaded: "More requests are waiting than the instance takes on."
        case .writesUnavailable:
            """
            The ledger cannot be written now, the instance is stopping, or the outcome is not \
            known yet.
            """
        case .readsUnavailable: "The ledger cannot be read now, or the instance is not ready."
        }
    }

    /// What the caller does about it.
    fileprivate var remedy: String {
        switch self {
        case .malformedRequest, .unsupportedMediaType, .methodNotAllowed, .notAcceptable,
            .headersTooLarge:
            "Mend the program that sends it; `detail` says what is wrong."
        case .idempotencyKeyRequired:
            "Make a fresh key for each thing that should happen once, and send it with every try."
        case .unauthenticated: "Get a valid token, and send the request again."
        case .forbidden: "Use a token with the scope that `detail` names, or leave it."
        case .notFound, .walletNotFound, .transactionNotFound, .holdNotFound:
            """
            Check the identifier. If it was made a moment ago, send the `Consistency-Token` of \
            the answer that made it along with the read. The key of a write is not used up.
            """
        case .idempotencyInFlight: "Send it again with the same key, after a moment."
        case .referenceAlreadyUsed:
            """
            Look at the transaction or hold: it is most likely the one you meant, and nothing is \
            left to do. Otherwise take another reference.
            """
        case .tokenUnknown: "Forget the token and what was read with it, and read again."
        case .versionMismatch:
            "Read the wallet, decide again, and send the new version. The key is not used up."
        case .bodyTooLarge: "Send less; split a batch."
        case .validationFailed, .amountOutOfRange, .currencyUnknown:
            "Mend the value. The key is not used up."
        case .idempotencyKeyReused:
            """
            Find out which of the two requests was meant: `GET /v1/idempotency-keys/{key}` tells \
            what became of the first. Take a new key for the other.
            """
        case .currencyMismatch, .sameWallet, .notReversible:
            "Mend the request, and take a new key."
        case .insufficientFunds: "Try again with a new key when there is money."
        case .balanceOverflow: "Take money out of the wallet, or use another one."
        case .walletFrozen: "Unfreeze the wallet first, and take a new key."
        case .walletClosed: "Use another wallet."
        case .recipientUnavailable: "Ask the recipient for the right wallet, and take a new key."
        case .walletNotEmpty:
            "Take out what `total` says and end the holds, then close it with a new key."
        case .holdNotOpen: "Read the hold to see what became of it."
        case .holdExceeded, .reversalExceeded: "Ask for at most what is `allowed`, with a new key."
        case .alreadyReversed: "Nothing; the money is back."
        case .batchRefused:
            """
            Mend or leave out what would not succeed, and send the rest with a new batch key. The \
            keys of the operations are not used up.
            """
        case .futureTimestamp: "Wait, or ask for an earlier time."
        case .internalError: "Send it again with the same key; if it stays, give us `requestId`."
        case .overloaded, .writesUnavailable, .readsUnavailable:
            "Wait for `Retry-After` seconds, and send it again with the same key."
        }
    }
}
