/// An event of a stream as WHATWG's HTML standard has it (§9.2.6).
package struct ServerSentEvent: Hashable, Sendable {
    /// The last id that the stream has given, to resume after.
    package var id: String?
    package var data: String

    package init(id: String?, data: String) {
        self.id = id
        self.data = data
    }
}

/// Reads a stream of server-sent events from pieces of any size.
package struct ServerSentEventParser: Sendable {
    /// The largest event, in bytes; one of the log has less than 4 KiB.
    package static let largestEvent = 1 << 20

    /// An event is larger than is read.
    package struct TooLarge: Error {}

    /// The pause before reconnecting that the service asks for, in milliseconds.
    package private(set) var retry: Int64?
    private var line: [UInt8] = []
    private var data: [UInt8]?
    private var id: String?
    /// Whether a line feed that follows belongs to the carriage return before it.
    private var skipsLineFeed = false
    private var isAtStart = true

    package init() {}

    /// Takes a piece, and gives the events that it completes.
    package mutating func feed(_ piece: some Sequence<UInt8>) throws(TooLarge) -> [ServerSentEvent]
    {
        var events: [ServerSentEvent] = []
        for byte in piece {
            if byte == UInt8(ascii: "\n"), skipsLineFeed {
                skipsLineFeed = false
                continue
            }
            skipsLineFeed = byte == UInt8(ascii: "\r")
            guard byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") else {
                guard line.count + (data?.count ?? 0) < ServerSentEventParser.largestEvent else {
                    throw TooLarge()
                }
                line.append(byte)
                continue
            }
            if let event = endLine() { events.append(event) }
        }
        return events
    }

    private mutating func endLine() -> ServerSentEvent? {
        defer { line.removeAll(keepingCapacity: true) }
        if isAtStart, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        isAtStart = false
        guard !line.isEmpty else {
            defer { data = nil }
            return data.map {
                ServerSentEvent(id: id, data: String(decoding: $0, as: UTF8.self))
            }
        }
        let parts = line.split(
            separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
        var value = parts.count == 2 ? parts[1] : []
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        // A comment has an empty name, and other names are for others to know.
        switch String(decoding: parts[0], as: UTF8.self) {
        case "data": data = data.map { $0 + [UInt8(ascii: "\n")] + value } ?? Array(value)
        case "id" where !value.contains(0): id = String(decoding: value, as: UTF8.self)
        case "retry" where value.allSatisfy({ (0x30...0x39).contains($0) }):
            retry = Int64(String(decoding: value, as: UTF8.self))
        default: break
        }
        return nil
    }
}
