/// Why the ledger will not do what it was asked; a value, never a fault.
package struct Refusal: Hashable, Sendable, Error {
    package var code: Code
    /// What helps the caller to understand it, in the order in which it is shown.
    package var members: [Member]
    /// Of an atomic batch: the refusal of each operation, `nil` for those that would have
    /// succeeded. Empty for every other refusal, and where a user sent the batch.
    package var operations: [Refusal?] = []

    package init(_ code: Code, _ members: [Member] = []) {
        self.code = code
        self.members = members
    }

    /// A named detail of a refusal.
    package struct Member: Hashable, Sendable {
        package var name: String
        package var value: Value

        package init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    package enum Value: Hashable, Sendable {
        case integer(Int64)
        case text(String)
    }

    /// The stable names of the refusals; clients match on them.
    package enum Code: String, CaseIterable, Sendable {
        case walletNotFound = "WALLET_NOT_FOUND"
        case transactionNotFound = "TRANSACTION_NOT_FOUND"
        case holdNotFound = "HOLD_NOT_FOUND"
        case referenceAlreadyUsed = "REFERENCE_ALREADY_USED"
        case versionMismatch = "VERSION_MISMATCH"
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
        case forbidden = "FORBIDDEN"
        case batchRefused = "BATCH_REFUSED"

        /// Whether the refusal is kept under its idempotency key like a success.
        ///
        /// Those that depend on the ledger's state as it was then are; those that the same request
        /// would meet at any time, or that name something which does not exist yet, are not.
        package var isRemembered: Bool {
            switch self {
            case .walletNotFound, .transactionNotFound, .holdNotFound, .referenceAlreadyUsed,
                .versionMismatch, .validationFailed, .idempotencyKeyReused, .amountOutOfRange,
                .currencyUnknown, .forbidden:
                false
            case .currencyMismatch, .insufficientFunds, .balanceOverflow, .sameWallet,
                .walletFrozen, .walletClosed, .walletNotEmpty, .holdNotOpen, .holdExceeded,
                .alreadyReversed, .reversalExceeded, .notReversible, .batchRefused,
                .recipientUnavailable:
                true
            }
        }
    }
}

extension Refusal {
    /// The bytes that are stored of a remembered refusal.
    package var canonicalBytes: [UInt8] {
        var json = CanonicalJSON()
        append(to: &json)
        return json.bytes
    }

    private func append(to json: inout CanonicalJSON) {
        json.beginObject()
        json.member("code", code.rawValue)
        json.key("members")
        json.beginArray()
        for member in members {
            json.beginArray()
            json.string(member.name)
            switch member.value {
            case .integer(let value): json.integer(value)
            case .text(let value): json.string(value)
            }
            json.endArray()
        }
        json.endArray()
        if !operations.isEmpty {
            json.key("operations")
            json.beginArray()
            for operation in operations {
                if let operation { operation.append(to: &json) } else { json.null() }
            }
            json.endArray()
        }
        json.endObject()
    }

    /// Reads what ``canonicalBytes`` wrote, and no other spelling of it.
    package init?(canonicalBytes bytes: [UInt8]) {
        var reader = CanonicalReader(bytes)
        guard let refusal = try? Refusal(reading: &reader), (try? reader.expectEnd()) != nil,
            refusal.canonicalBytes == bytes
        else { return nil }
        self = refusal
    }

    /// - Parameter isOperation: whether it stands in another refusal, in which only one may stand.
    private init(
        reading reader: inout CanonicalReader, isOperation: Bool = false
    ) throws(CanonicalReader.Malformed) {
        try reader.expect("{\"code\":")
        guard let code = Code(rawValue: try reader.string()) else { throw reader.malformed }
        self.init(code)
        try reader.expect(",\"members\":[")
        while !reader.skip("]") {
            if !members.isEmpty { try reader.expect(",") }
            try reader.expect("[")
            let name = try reader.string()
            try reader.expect(",")
            var isText = reader
            if let text = try? isText.string() {
                reader = isText
                members.append(Member(name, .text(text)))
            } else {
                members.append(Member(name, .integer(try reader.integer())))
            }
            try reader.expect("]")
        }
        if !isOperation, reader.skip(",\"operations\":[") {
            while !reader.skip("]") {
                if !operations.isEmpty { try reader.expect(",") }
                let operation =
                    try reader.skip("null") ? nil : Refusal(reading: &reader, isOperation: true)
                operations.append(operation)
            }
        }
        try reader.expect("}")
    }
}
