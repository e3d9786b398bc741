/// Why stored bytes are not an event.
package enum EventDecodingError: Error, Hashable {
    /// The bytes at this offset are not what the ledger writes.
    case malformed(offset: Int)
    /// The bytes are of a version that this program does not know.
    case unknownVersion
}

extension Event {
    /// Reads what ``canonicalBytes`` wrote; refuses every other spelling of the same content.
    package init(canonicalBytes bytes: [UInt8]) throws(EventDecodingError) {
        var reader = CanonicalReader(bytes)
        guard reader.skip("{\"v\":1,") else { throw .unknownVersion }
        do {
            try self.init(reading: &reader)
        } catch {
            throw .malformed(offset: error.offset)
        }
    }

    private init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        try reader.expect("\"position\":")
        position = try reader.integer()
        try reader.expect(",\"epoch\":")
        epoch = try reader.integer()
        try reader.expect(",\"recordedAt\":")
        recordedAt = try reader.instant()
        try reader.expect(",\"type\":")
        guard let type = EventType(name: try reader.string()) else { throw reader.malformed }
        cause = try Cause(reading: &reader)
        change = try Change(reading: &reader, type: type)
        try reader.expect(",\"postings\":[")
        postings = []
        while !reader.skip("]") {
            if !postings.isEmpty { try reader.expect(",") }
            postings.append(try Posting(reading: &reader))
        }
        try reader.expect(",\"balances\":[")
        balances = []
        while !reader.skip("]") {
            if !balances.isEmpty { try reader.expect(",") }
            balances.append(try BalanceAfter(reading: &reader))
        }
        text = reader.skip(",\"text\":") ? try reader.digest() : nil
        try reader.expect("}")
        try reader.expectEnd()
    }
}

extension Cause {
    fileprivate init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        // Bytes and not strings: `==` on strings takes the Kelvin sign for the `K` of `apiKey`.
        try reader.expect(",\"actor\":{\"kind\":")
        if reader.skip("\"apiKey\",\"id\":") {
            let id = try reader.string()
            try reader.expect(",\"principal\":")
            actor = .apiKey(id: id, principal: try reader.string())
        } else if reader.skip("\"user\",\"issuer\":") {
            let issuer = try reader.string()
            try reader.expect(",\"subject\":")
            actor = .user(issuer: issuer, subject: try reader.string())
        } else {
            try reader.expect("\"system\"")
            actor = .system
        }
        try reader.expect("},\"command\":")
        guard let kind = CommandKind(rawValue: try reader.string()) else { throw reader.malformed }
        command = kind
        guard reader.skip(",\"idempotency\":{\"key\":") else {
            idempotency = nil
            return
        }
        let key = try reader.digest()
        try reader.expect(",\"fingerprint\":")
        var stamp = IdempotencyStamp(key: key, fingerprint: try reader.digest())
        if reader.skip(",\"batch\":{\"key\":") {
            let key = try reader.digest()
            try reader.expect(",\"fingerprint\":")
            let fingerprint = try reader.digest()
            try reader.expect(",\"index\":")
            let index = try reader.integer()
            try reader.expect(",\"size\":")
            let size = try reader.integer()
            try reader.expect(",\"atomic\":")
            stamp.batch = BatchStamp(
                key: key, fingerprint: fingerprint, index: index, size: size,
                isAtomic: try reader.boolean())
            try reader.expect("}")
        }
        try reader.expect("}")
        idempotency = stamp
    }
}

extension Change {
    fileprivate init(
        reading reader: inout CanonicalReader, type: EventType
    ) throws(CanonicalReader.Malformed) {
        switch type {
        case .walletOpened:
            let wallet = try reader.wallet()
            try reader.expect(",\"user\":")
            let user = try reader.string()
            try reader.expect(",\"currency\":")
            self = .walletOpened(wallet: wallet, userID: user, currency: try reader.currency())
        case .deposited: self = .deposited(try Movement(reading: &reader))
        case .withdrawn: self = .withdrawn(try Movement(reading: &reader))
        case .transferred: self = .transferred(try Movement(reading: &reader))
        case .holdPlaced:
            let hold = try HoldFields(reading: &reader)
            let expiresAt = reader.skip(",\"expiresAt\":") ? try reader.instant() : nil
            let reference = reader.skip(",\"reference\":") ? try reader.string() : nil
            self = .holdPlaced(
                hold: hold.id, wallet: hold.wallet, amount: hold.amount, currency: hold.currency,
                expiresAt: expiresAt, reference: reference)
        case .holdCaptured:
            let movement = try Movement(reading: &reader)
            try reader.expect(",\"hold\":")
            let hold: HoldID = try reader.identifier()
            let wallet = try reader.wallet()
            try reader.expect(",\"released\":")
            self = .holdCaptured(
                movement, hold: hold, wallet: wallet, released: try reader.integer())
        case .holdReleased:
            let hold = try HoldFields(reading: &reader)
            self = .holdReleased(
                hold: hold.id, wallet: hold.wallet, amount: hold.amount, currency: hold.currency)
        case .holdExpired:
            let hold = try HoldFields(reading: &reader)
            try reader.expect(",\"expiresAt\":")
            self = .holdExpired(
                hold: hold.id, wallet: hold.wallet, amount: hold.amount, currency: hold.currency,
                expiresAt: try reader.instant())
        case .reversed:
            let movement = try Movement(reading: &reader)
            try reader.expect(",\"reverses\":")
            let reverses: TransactionID = try reader.identifier()
            try reader.expect(",\"reversedTotal\":")
            self = .reversed(movement, reverses: reverses, reversedTotal: try reader.integer())
        case .walletFrozen: self = .walletFrozen(wallet: try reader.wallet())
        case .walletUnfrozen: self = .walletUnfrozen(wallet: try reader.wallet())
        case .walletClosed: self = .walletClosed(wallet: try reader.wallet())
        }
    }
}

/// The members that the events of a hold share.
private struct HoldFields {
    var id: HoldID
    var wallet: WalletID
    var amount: Amount
    var currency: Currency

    init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        try reader.expect(",\"hold\":")
        id = try reader.identifier()
        wallet = try reader.wallet()
        try reader.expect(",\"amount\":")
        amount = try reader.amount()
        try reader.expect(",\"currency\":")
        currency = try reader.currency()
    }
}

extension CanonicalReader {
    fileprivate mutating func wallet() throws(Malformed) -> WalletID {
        try expect(",\"wallet\":")
        return try identifier()
    }
}

extension Movement {
    fileprivate init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        try reader.expect(",\"transaction\":")
        transaction = try reader.identifier()
        try reader.expect(",\"amount\":")
        amount = try reader.amount()
        try reader.expect(",\"currency\":")
        currency = try reader.currency()
        reference = reader.skip(",\"reference\":") ? try reader.string() : nil
    }
}

extension Posting {
    fileprivate init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        try reader.expect("{\"account\":")
        guard let account = Account(try reader.string()) else { throw reader.malformed }
        self.account = account
        try reader.expect(",\"amount\":")
        amount = try reader.integer()
        try reader.expect("}")
    }
}

extension BalanceAfter {
    fileprivate init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        try reader.expect("{\"wallet\":")
        wallet = try reader.identifier()
        try reader.expect(",\"version\":")
        version = try reader.integer()
        try reader.expect(",\"total\":")
        total = try reader.integer()
        try reader.expect(",\"held\":")
        held = try reader.integer()
        try reader.expect("}")
    }
}
