package import WalletCore

/// One row of the log: the events of one commit, as the exact bytes that were hashed.
///
/// The body frames each event as a 32-bit big-endian length, its bytes, and its 32-byte hash.
package struct Segment: Hashable, Sendable {
    package var firstPosition: Int64
    package var lastPosition: Int64
    /// The time of the last event.
    package var recordedAt: Instant
    package var body: [UInt8]

    package init(
        firstPosition: Int64, lastPosition: Int64, recordedAt: Instant, body: [UInt8]
    ) {
        self.firstPosition = firstPosition
        self.lastPosition = lastPosition
        self.recordedAt = recordedAt
        self.body = body
    }

    /// Appends one event's frame to a body.
    package static func appendFrame(_ bytes: [UInt8], hash: Digest, to body: inout [UInt8]) {
        let count = UInt32(bytes.count)
        for shift: UInt32 in [24, 16, 8, 0] {
            body.append(UInt8(truncatingIfNeeded: count >> shift))
        }
        body.append(contentsOf: bytes)
        hash.appendBytes(to: &body)
    }
}

/// An event as the log has it: its bytes and the hash that chains it.
package struct LogRecord: Hashable, Sendable {
    package var position: Int64
    package var bytes: [UInt8]
    package var hash: Digest

    package init(position: Int64, bytes: [UInt8], hash: Digest) {
        self.position = position
        self.bytes = bytes
        self.hash = hash
    }
}

extension Segment {
    /// The events of the segment, in order; throws where the framing does not hold.
    package func records() throws(LogFault) -> [LogRecord] {
        // What a row says of itself is no more to be trusted than the rest of it.
        guard firstPosition >= 1, firstPosition <= lastPosition, lastPosition < .max else {
            throw LogFault(
                position: firstPosition, reason: "the segment's positions are impossible")
        }
        var records: [LogRecord] = []
        var position = firstPosition
        var offset = 0
        while offset < body.count {
            guard position <= lastPosition else {
                throw LogFault(position: position, reason: "the segment goes on after its end")
            }
            let range = try frame(at: offset, position: position)
            records.append(try record(in: range, position: position))
            offset = range.upperBound + 32
            position += 1
        }
        guard position == lastPosition + 1 else {
            throw LogFault(position: position, reason: "the segment ends before its last position")
        }
        return records
    }

    /// One event of the segment; `nil` where the position is outside.
    package func record(at wanted: Int64) throws(LogFault) -> LogRecord? {
        guard firstPosition <= wanted, wanted <= lastPosition else { return nil }
        return try records(at: [wanted]).first
    }

    /// Some events of the segment, in one pass.
    ///
    /// - Parameter wanted: positions inside the segment, in ascending order.
    package func records(at wanted: some Sequence<Int64>) throws(LogFault) -> [LogRecord] {
        var records: [LogRecord] = []
        var position = firstPosition
        var offset = 0
        for next in wanted {
            while position < next {
                offset = try frame(at: offset, position: position).upperBound + 32
                position += 1
            }
            records.append(
                try record(in: try frame(at: offset, position: next), position: next))
        }
        return records
    }

    private func frame(at offset: Int, position: Int64) throws(LogFault) -> Range<Int> {
        guard offset + 4 <= body.count else {
            throw LogFault(position: position, reason: "the segment is cut short")
        }
        let count = body[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
        guard count <= body.count, offset + 4 + count + 32 <= body.count else {
            throw LogFault(position: position, reason: "the event's length does not fit")
        }
        return offset + 4..<offset + 4 + count
    }

    private func record(in range: Range<Int>, position: Int64) throws(LogFault) -> LogRecord {
        guard let hash = Digest(bytes: Array(body[range.upperBound..<range.upperBound + 32])) else {
            throw LogFault(position: position, reason: "the event's hash is cut short")
        }
        return LogRecord(position: position, bytes: Array(body[range]), hash: hash)
    }
}

extension LogRecord {
    /// The event; throws where the bytes are not one or say another position.
    package func event() throws(LogFault) -> Event {
        let event: Event
        do {
            event = try Event(canonicalBytes: bytes)
        } catch {
            throw LogFault(position: position, reason: "the bytes are not an event: \(error)")
        }
        guard event.position == position else {
            throw LogFault(position: position, reason: "the event says position \(event.position)")
        }
        return event
    }
}

/// Where the log is not what it must be.
package struct LogFault: Error, Hashable {
    package var position: Int64
    package var reason: String

    package init(position: Int64, reason: String) {
        self.position = position
        self.reason = reason
    }
}
