package import LedgerEngine
package import WalletCore

/// The lines of an event stream (WHATWG HTML §9.2).
package enum ServerSentEvent {
    package static let contentType = "text/event-stream"

    /// The first lines: how long a client should wait before it comes back, in milliseconds.
    package static let opening = Array("retry: 1000\n\n".utf8)

    /// A comment that says nothing but that the stream is alive.
    package static let heartbeat = Array(": alive\n\n".utf8)

    /// Appends an event of the log; its JSON has no line break, since it escapes all controls.
    package static func append(_ record: LogRecord, _ event: Event, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "id: ".utf8)
        bytes.append(contentsOf: id(of: event.place).utf8)
        bytes.append(contentsOf: "\nevent: ".utf8)
        bytes.append(contentsOf: event.change.type.name.utf8)
        bytes.append(contentsOf: "\ndata: ".utf8)
        var json = CanonicalJSON(capacity: record.bytes.count + 160)
        json.logRecord(record)
        bytes.append(contentsOf: json.bytes)
        bytes.append(contentsOf: "\n\n".utf8)
    }

    /// A place in the log as an event's id, `1763961898123456-88123`.
    package static func id(of place: ConsistencyToken) -> String {
        "\(place.epoch)-\(place.position)"
    }

    /// The place that an event's id names.
    package static func place(of id: String) -> ConsistencyToken? {
        let parts = id.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let epoch = decimal(parts[0]), let position = decimal(parts[1])
        else { return nil }
        return ConsistencyToken(epoch: epoch, position: position)
    }

    private static func decimal(_ text: Substring) -> Int64? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(text)
    }
}

extension Event {
    /// Where it stands in the log.
    var place: ConsistencyToken { ConsistencyToken(epoch: epoch, position: position) }
}
