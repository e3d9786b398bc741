extension Event {
    /// The version of the bytes that ``canonicalBytes`` writes.
    package static let bytesVersion: Int64 = 1

    /// The exact bytes that are stored and hashed: canonical JSON, version 1.
    ///
    /// Members stand in one order and absent ones are left out. Fixed by golden files: a change of
    /// what an event must hold is a new version beside this one, never a change of this one.
    package var canonicalBytes: [UInt8] {
        var json = CanonicalJSON(capacity: 900)
        json.beginObject()
        json.member("v", Event.bytesVersion)
        json.member("position", position)
        json.member("epoch", epoch)
        json.member("recordedAt", recordedAt.microseconds)
        json.member("type", change.type.name)
        cause.append(to: &json)
        change.append(to: &json)
        json.key("postings")
        json.beginArray()
        for posting in postings { posting.append(to: &json) }
        json.endArray()
        json.key("balances")
        json.beginArray()
        for balance in balances { balance.append(to: &json) }
        json.endArray()
        if let text { json.member("text", text) }
        json.endObject()
        return json.bytes
    }
}

extension Cause {
    fileprivate func append(to json: inout CanonicalJSON) {
        json.key("actor")
        json.beginObject()
        switch actor {
        case .apiKey(let id, let principal):
            json.member("kind", "apiKey")
            json.member("id", id)
            json.member("principal", principal)
        case .user(let issuer, let subject):
            json.member("kind", "user")
            json.member("issuer", issuer)
            json.member("subject", subject)
        case .system:
            json.member("kind", "system")
        }
        json.endObject()
        json.member("command", command.rawValue)
        guard let idempotency else { return }
        json.key("idempotency")
        json.beginObject()
        json.member("key", idempotency.key)
        json.member("fingerprint", idempotency.fingerprint)
        if let batch = idempotency.batch {
            json.key("batch")
            json.beginObject()
            json.member("key", batch.key)
            json.member("fingerprint", batch.fingerprint)
            json.member("index", batch.index)
            json.member("size", batch.size)
            json.member("atomic", batch.isAtomic)
            json.endObject()
        }
        json.endObject()
    }
}

extension Change {
    fileprivate func append(to json: inout CanonicalJSON) {
        switch self {
        case .walletOpened(let wallet, let userID, let currency):
            json.member("wallet", wallet)
            json.member("user", userID)
            json.member("currency", currency)
        case .deposited(let movement), .withdrawn(let movement), .transferred(let movement):
            movement.append(to: &json)
        case .holdPlaced(
            let hold, let wallet, let amount, let currency, let expires, let reference):
            json.hold(hold, wallet, amount, currency)
            if let expires { json.member("expiresAt", expires.microseconds) }
            if let reference { json.member("reference", reference) }
        case .holdCaptured(let movement, let hold, let wallet, let released):
            movement.append(to: &json)
            json.member("hold", hold)
            json.member("wallet", wallet)
            json.member("released", released)
        case .holdReleased(let hold, let wallet, let amount, let currency):
            json.hold(hold, wallet, amount, currency)
        case .holdExpired(let hold, let wallet, let amount, let currency, let expires):
            json.hold(hold, wallet, amount, currency)
            json.member("expiresAt", expires.microseconds)
        case .reversed(let movement, let reverses, let reversedTotal):
            movement.append(to: &json)
            json.member("reverses", reverses)
            json.member("reversedTotal", reversedTotal)
        case .walletFrozen(let wallet), .walletUnfrozen(let wallet), .walletClosed(let wallet):
            json.member("wallet", wallet)
        }
    }
}

extension CanonicalJSON {
    fileprivate mutating func hold(
        _ hold: HoldID, _ wallet: WalletID, _ amount: Amount, _ currency: Currency
    ) {
        member("hold", hold)
        member("wallet", wallet)
        member("amount", amount.minorUnits)
        member("currency", currency)
    }
}

extension Movement {
    fileprivate func append(to json: inout CanonicalJSON) {
        json.member("transaction", transaction)
        json.member("amount", amount.minorUnits)
        json.member("currency", currency)
        if let reference { json.member("reference", reference) }
    }
}

extension Posting {
    fileprivate func append(to json: inout CanonicalJSON) {
        json.beginObject()
        json.key("account")
        json.quoted { account.append(to: &$0) }
        json.member("amount", amount)
        json.endObject()
    }
}

extension Account {
    private static let walletPrefix = Array("wallet:".utf8)
    private static let externalPrefix = Array("external:".utf8)

    /// Appends `wallet:<id>` or `external:<currency>`.
    package func append(to bytes: inout [UInt8]) {
        switch self {
        case .wallet(let id):
            bytes.append(contentsOf: Account.walletPrefix)
            id.append(to: &bytes)
        case .external(let currency):
            bytes.append(contentsOf: Account.externalPrefix)
            currency.append(to: &bytes)
        }
    }

    /// Reads `wallet:<id>` or `external:<currency>`.
    package init?(_ text: String) {
        if text.hasPrefix("wallet:"), let id = WalletID(text.dropFirst(7)) {
            self = .wallet(id)
        } else if text.hasPrefix("external:"), let currency = Currency(text.dropFirst(9)) {
            self = .external(currency)
        } else {
            return nil
        }
    }
}

extension BalanceAfter {
    fileprivate func append(to json: inout CanonicalJSON) {
        json.beginObject()
        json.member("wallet", wallet)
        json.member("version", version)
        json.member("total", total)
        json.member("held", held)
        json.endObject()
    }
}
