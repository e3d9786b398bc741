import WalletCore

/// One line of an export; `docs/export-format.md` is the format in words.
enum ExportLine: Hashable, Sendable {
    case header(ExportHeader)
    case event(LogRecord)
    case text(TextRecord)
    case refusal(RefusalRecord)
    case apiKey(APIKey)
    case trailer(ExportTrailer)
}

/// The first line: which ledger it is, and how far it goes.
struct ExportHeader: Hashable, Sendable {
    var ledger: LedgerID
    /// Oldest first.
    var epochs: [Epoch]
    var head: Head
    /// The position that the events begin after, and its hash: 0 and the genesis for all of them.
    var afterPosition: Int64
    var afterHash: Digest
}

/// The last line: what an export must have had to be whole.
struct ExportTrailer: Hashable, Sendable {
    var position: Int64
    var hash: Digest
    var events: Int64 = 0
    var texts: Int64 = 0
    var refusals: Int64 = 0
    var apiKeys: Int64 = 0
    /// SHA-256 of all lines before this one, each with its line feed.
    var sha256: Digest
}

// MARK: - Writing

extension ExportLine {
    /// The line as canonical JSON, with its line feed.
    var bytes: [UInt8] {
        var json = CanonicalJSON(capacity: 1_024)
        json.beginObject()
        switch self {
        case .header(let header): header.append(to: &json)
        case .event(let record):
            json.member("position", record.position)
            json.member("hash", record.hash)
            json.key("event")
            json.raw(record.bytes)
        case .text(let record):
            json.member("text", record.position)
            json.member("salt", record.text.salt.hex)
            json.key("body")
            json.raw(record.text.text.canonicalBytes)
        case .refusal(let record):
            json.member("refusal", record.key)
            json.member("fingerprint", record.fingerprint)
            json.member("recordedAt", record.recordedAt.microseconds)
            json.member("requestId", record.requestID)
            json.key("body")
            json.raw(record.refusal.canonicalBytes)
        case .apiKey(let key): key.append(to: &json)
        case .trailer(let trailer): trailer.append(to: &json)
        }
        json.endObject()
        return json.bytes + [UInt8(ascii: "\n")]
    }
}

extension ExportHeader {
    fileprivate func append(to json: inout CanonicalJSON) {
        json.member("export", 1)
        json.member("ledger", ledger)
        json.key("epochs")
        json.beginArray()
        for epoch in epochs {
            json.beginObject()
            json.member("epoch", epoch.epoch)
            json.member("firstPosition", epoch.firstPosition)
            json.endObject()
        }
        json.endArray()
        json.key("head")
        json.beginObject()
        json.member("epoch", head.epoch)
        json.member("position", head.position)
        json.member("hash", head.hash)
        json.member("recordedAt", head.recordedAt.microseconds)
        json.endObject()
        json.key("after")
        json.beginObject()
        json.member("position", afterPosition)
        json.member("hash", afterHash)
        json.endObject()
    }
}

extension APIKey {
    fileprivate func append(to json: inout CanonicalJSON) {
        json.member("apiKey", id)
        json.member("hash", hash)
        json.member("principal", principal)
        json.member("scopes", scopes.rawValue)
        json.member("createdAt", createdAt.microseconds)
        if let revokedAt { json.member("revokedAt", revokedAt.microseconds) }
    }
}

extension ExportTrailer {
    fileprivate func append(to json: inout CanonicalJSON) {
        json.member("end", position)
        json.member("hash", hash)
        json.member("events", events)
        json.member("texts", texts)
        json.member("refusals", refusals)
        json.member("apiKeys", apiKeys)
        json.member("sha256", sha256)
    }
}

// MARK: - Reading

extension ExportLine {
    /// Reads what ``bytes`` wrote, without the line feed; `nil` for anything else.
    init?(_ line: [UInt8]) {
        var reader = CanonicalReader(line)
        guard let read = try? ExportLine(reading: &reader) else { return nil }
        self = read
    }

    private init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        if reader.skip("{\"position\":") {
            let position = try reader.integer()
            try reader.expect(",\"hash\":")
            let hash = try reader.digest()
            try reader.expect(",\"event\":")
            self = .event(
                LogRecord(position: position, bytes: try reader.rest(before: "}"), hash: hash))
        } else if reader.skip("{\"text\":") {
            self = .text(try TextRecord(reading: &reader))
        } else if reader.skip("{\"refusal\":") {
            self = .refusal(try RefusalRecord(reading: &reader))
        } else if reader.skip("{\"apiKey\":") {
            self = .apiKey(try APIKey(reading: &reader))
        } else if reader.skip("{\"end\":") {
            self = .trailer(try ExportTrailer(reading: &reader))
        } else {
            self = .header(try ExportHeader(reading: &reader))
        }
        try reader.expectEnd()
    }
}

extension ExportHeader {
    fileprivate init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        try reader.expect("{\"export\":1,\"ledger\":")
        ledger = try reader.identifier()
        try reader.expect(",\"epochs\":[")
        epochs = []
        while !reader.skip("]") {
            if !epochs.isEmpty { try reader.expect(",") }
            try reader.expect("{\"epoch\":")
            let epoch = try reader.integer()
            try reader.expect(",\"firstPosition\":")
            epochs.append(Epoch(epoch: epoch, firstPosition: try reader.integer()))
            try reader.expect("}")
        }
        try reader.expect(",\"head\":{\"epoch\":")
        let epoch = try reader.integer()
        try reader.expect(",\"position\":")
        let position = try reader.integer()
        try reader.expect(",\"hash\":")
        let hash = try reader.digest()
        try reader.expect(",\"recordedAt\":")
        head = Head(
            ledger: ledger, epoch: epoch, position: position, hash: hash,
            recordedAt: try reader.instant())
        try reader.expect("},\"after\":{\"position\":")
        afterPosition = try reader.integer()
        try reader.expect(",\"hash\":")
        afterHash = try reader.digest()
        try reader.expect("}}")
    }
}

extension TextRecord {
    fileprivate init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        let position = try reader.integer()
        try reader.expect(",\"salt\":")
        guard let salt = [UInt8](hex: try reader.string()), salt.count == 16 else {
            throw reader.malformed
        }
        try reader.expect(",\"body\":")
        guard let text = FreeText(canonicalBytes: try reader.rest(before: "}")) else {
            throw reader.malformed
        }
        self.init(position: position, text: SaltedText(salt: salt, text: text))
    }
}

extension RefusalRecord {
    fileprivate init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        let key = try reader.digest()
        try reader.expect(",\"fingerprint\":")
        let fingerprint = try reader.digest()
        try reader.expect(",\"recordedAt\":")
        let recordedAt = try reader.instant()
        try reader.expect(",\"requestId\":")
        let requestID = try reader.string()
        try reader.expect(",\"body\":")
        guard let refusal = Refusal(canonicalBytes: try reader.rest(before: "}")) else {
            throw reader.malformed
        }
        self.init(
            key: key, fingerprint: fingerprint, recordedAt: recordedAt, requestID: requestID,
            refusal: refusal)
    }
}

extension APIKey {
    fileprivate init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        let id = try reader.string()
        try reader.expect(",\"hash\":")
        let hash = try reader.digest()
        try reader.expect(",\"principal\":")
        let principal = try reader.string()
        try reader.expect(",\"scopes\":")
        let scopes = Scopes(rawValue: try reader.integer())
        try reader.expect(",\"createdAt\":")
        let createdAt = try reader.instant()
        let revokedAt = reader.skip(",\"revokedAt\":") ? try reader.instant() : nil
        try reader.expect("}")
        self.init(
            id: id, hash: hash, principal: principal, scopes: scopes, createdAt: createdAt,
            revokedAt: revokedAt)
    }
}

extension ExportTrailer {
    fileprivate init(reading reader: inout CanonicalReader) throws(CanonicalReader.Malformed) {
        position = try reader.integer()
        try reader.expect(",\"hash\":")
        hash = try reader.digest()
        try reader.expect(",\"events\":")
        events = try reader.integer()
        try reader.expect(",\"texts\":")
        texts = try reader.integer()
        try reader.expect(",\"refusals\":")
        refusals = try reader.integer()
        try reader.expect(",\"apiKeys\":")
        apiKeys = try reader.integer()
        try reader.expect(",\"sha256\":")
        sha256 = try reader.digest()
        try reader.expect("}")
    }
}
