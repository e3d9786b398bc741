/// Something that a caller asks the ledger to do; well-formed by construction.
package enum Command: Hashable, Sendable {
    case openWallet(userID: String, currency: Currency)
    case deposit(wallet: WalletID, amount: Amount, currency: Currency?, reference: String?)
    case withdraw(wallet: WalletID, amount: Amount, currency: Currency?, reference: String?)
    case transfer(
        from: WalletID, to: WalletID, amount: Amount, currency: Currency?, reference: String?)
    case placeHold(
        wallet: WalletID, amount: Amount, currency: Currency?, expiresAt: Instant?,
        reference: String?)
    /// Takes all or part of a hold, to a wallet or out of the ledger; the rest is released.
    case captureHold(hold: HoldID, amount: Amount?, to: WalletID?)
    case releaseHold(hold: HoldID)
    /// Moves all that is left of a transaction, or part of it, back.
    case reverse(transaction: TransactionID, amount: Amount?)
    case freezeWallet(WalletID)
    case unfreezeWallet(WalletID)
    case closeWallet(WalletID)

    /// The stable name of the kind, in bytes, metrics and batches.
    package var kind: CommandKind {
        switch self {
        case .openWallet: .openWallet
        case .deposit: .deposit
        case .withdraw: .withdrawal
        case .transfer: .transfer
        case .placeHold: .hold
        case .captureHold: .capture
        case .releaseHold: .release
        case .reverse: .reversal
        case .freezeWallet: .freeze
        case .unfreezeWallet: .unfreeze
        case .closeWallet: .close
        }
    }
}

/// The kinds of command, by their stable names.
package enum CommandKind: String, CaseIterable, Sendable {
    case openWallet
    case deposit
    case withdrawal
    case transfer
    case hold
    case capture
    case release
    case reversal
    case freeze
    case unfreeze
    case close
    /// Not a caller's: the ledger records that a hold's time has come.
    case expire
}

/// Free text that goes with an event; hashed into it as a salted commitment, and erasable.
package struct FreeText: Hashable, Sendable {
    /// What the caller said about the movement, or why a wallet was frozen or closed.
    package var description: String?
    /// The caller's own pairs.
    package var metadata: [String: String]

    package init(description: String? = nil, metadata: [String: String] = [:]) {
        self.description = description
        self.metadata = metadata
    }

    package var isEmpty: Bool { description == nil && metadata.isEmpty }

    /// The bytes that the commitment is over: canonical JSON, members in the order of their bytes.
    package var canonicalBytes: [UInt8] {
        var json = CanonicalJSON()
        json.beginObject()
        append(to: &json)
        json.endObject()
        return json.bytes
    }

    fileprivate func append(to json: inout CanonicalJSON) {
        if let description { json.member("description", description) }
        guard !metadata.isEmpty else { return }
        json.key("metadata")
        json.beginObject()
        for key in metadata.keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            json.member(escaping: key, metadata[key] ?? "")
        }
        json.endObject()
    }
}

/// A command with what qualifies it.
package struct Instruction: Hashable, Sendable {
    package var command: Command
    package var text: FreeText
    /// The version that the debited wallet (for a deposit: the credited one) must have.
    package var ifMatch: Int64?

    package init(_ command: Command, text: FreeText = FreeText(), ifMatch: Int64? = nil) {
        self.command = command
        self.text = text
        self.ifMatch = ifMatch
    }

    /// The normalised request, which the fingerprint of its idempotency key is taken of.
    ///
    /// Members in a fixed order and absent ones left out, so that neither white space nor the order
    /// of members nor the route tells two equal requests apart. Fixed by golden files.
    package var canonicalBytes: [UInt8] {
        var json = CanonicalJSON()
        json.beginObject()
        json.member("kind", command.kind.rawValue)
        switch command {
        case .openWallet(let userID, let currency):
            json.member("userId", userID)
            json.member("currency", currency)
        case .deposit(let wallet, let amount, let currency, let reference),
            .withdraw(let wallet, let amount, let currency, let reference):
            json.member("walletId", wallet)
            json.movement(amount, currency, reference)
        case .transfer(let from, let to, let amount, let currency, let reference):
            json.member("from", from)
            json.member("to", to)
            json.movement(amount, currency, reference)
        case .placeHold(let wallet, let amount, let currency, let expiresAt, let reference):
            json.member("walletId", wallet)
            json.movement(amount, currency, reference)
            if let expiresAt { json.member("expiresAt", expiresAt.microseconds) }
        case .captureHold(let hold, let amount, let to):
            json.member("holdId", hold)
            if let amount { json.member("amount", amount.minorUnits) }
            if let to { json.member("to", to) }
        case .releaseHold(let hold):
            json.member("holdId", hold)
        case .reverse(let transaction, let amount):
            json.member("transactionId", transaction)
            if let amount { json.member("amount", amount.minorUnits) }
        case .freezeWallet(let wallet), .unfreezeWallet(let wallet), .closeWallet(let wallet):
            json.member("walletId", wallet)
        }
        text.append(to: &json)
        if let ifMatch { json.member("ifMatch", ifMatch) }
        json.endObject()
        return json.bytes
    }
}

extension CanonicalJSON {
    fileprivate mutating func movement(
        _ amount: Amount, _ currency: Currency?, _ reference: String?
    ) {
        member("amount", amount.minorUnits)
        if let currency { member("currency", currency) }
        if let reference { member("reference", reference) }
    }
}

extension FreeText {
    /// Reads what ``canonicalBytes`` wrote, and no other spelling of it.
    package init?(canonicalBytes bytes: [UInt8]) {
        var reader = CanonicalReader(bytes)
        guard let text = try? FreeText(reading: &reader), text.canonicalBytes == bytes
        else { return nil }
        self = text
    }

    private init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        self.init()
        try reader.expect("{")
        if reader.skip("\"description\":") {
            description = try reader.string()
            _ = reader.skip(",")
        }
        if reader.skip("\"metadata\":{") {
            while !reader.skip("}") {
                if !metadata.isEmpty { try reader.expect(",") }
                let key = try reader.string()
                try reader.expect(":")
                metadata[key] = try reader.string()
            }
        }
        try reader.expect("}")
        try reader.expectEnd()
    }
}
