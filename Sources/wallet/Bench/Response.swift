import NIOCore

/// An answer, as far as a bench looks at it.
struct Response {
    var status: Int
    var body: ByteBuffer

    /// The text of a member of the body's JSON; the first of that name, wherever it is.
    func text(_ member: String) -> String? {
        let bytes = body.readableBytesView
        guard let start = value(of: member, in: bytes), bytes[start] == UInt8(ascii: "\"") else {
            return nil
        }
        let rest = bytes[bytes.index(after: start)...]
        return String(decoding: rest.prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    }

    /// The whole number of a member of the body's JSON.
    func integer(_ member: String) -> Int64? {
        let bytes = body.readableBytesView
        guard let start = value(of: member, in: bytes) else { return nil }
        let digits = bytes[start...].prefix { (0x30...0x39).contains($0) || $0 == 0x2D }
        return Int64(String(decoding: digits, as: UTF8.self))
    }

    /// Where the value of a member begins; our own server's JSON has no spaces.
    private func value(of member: String, in bytes: ByteBufferView) -> Int? {
        let name = Array("\"\(member)\":".utf8)
        guard bytes.count > name.count else { return nil }
        for start in bytes.startIndex..<(bytes.endIndex - name.count)
        where bytes[start..<start + name.count].elementsEqual(name) {
            return start + name.count
        }
        return nil
    }
}

/// Cuts a connection's bytes into answers: status, length, body, and nothing else.
struct ResponseParser {
    enum Fault: Error {
        case notHTTP, noLength, tooLarge
    }

    static let largestHead = 16_384
    static let largestBody = 16_777_216

    private var buffer = ByteBuffer()

    mutating func append(_ bytes: ByteBuffer) {
        // What was read whole is the usual case; then nothing is copied.
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next answer that has arrived whole.
    mutating func next() throws(Fault) -> Response? {
        guard let head = try Head(buffer.readableBytesUInt8Span) else {
            if buffer.readableBytes > Self.largestHead { throw .tooLarge }
            return nil
        }
        guard let bodyLength = head.bodyLength else { throw .noLength }
        guard bodyLength <= Self.largestBody else { throw .tooLarge }
        guard buffer.readableBytes >= head.length + bodyLength else { return nil }
        buffer.moveReaderIndex(forwardBy: head.length)
        guard let body = buffer.readSlice(length: bodyLength) else { return nil }
        return Response(status: head.status, body: body)
    }

    /// The status line and the headers.
    private struct Head {
        var status = 0
        var length = 0
        var bodyLength: Int?

        /// Nothing as long as it has not arrived whole.
        init?(_ bytes: borrowing Span<UInt8>) throws(Fault) {
            var line = 0
            for index in bytes.indices where bytes[index] == UInt8(ascii: "\n") {
                if line == 0 {
                    try readStatus(bytes)
                } else if index - line <= 1 {
                    length = index + 1
                    return
                } else {
                    try readHeader(bytes, from: line, to: index - 1)
                }
                line = index + 1
            }
            return nil
        }

        /// `HTTP/1.1 201 Created`
        private mutating func readStatus(_ bytes: borrowing Span<UInt8>) throws(Fault) {
            guard bytes.count > 12, bytes[0] == UInt8(ascii: "H"), bytes[8] == UInt8(ascii: " ")
            else { throw .notHTTP }
            for index in 9...11 {
                guard (0x30...0x39).contains(bytes[index]) else { throw .notHTTP }
                status = status * 10 + Int(bytes[index] - 0x30)
            }
            if status == 204 || status == 304 { bodyLength = 0 }
        }

        private mutating func readHeader(
            _ bytes: borrowing Span<UInt8>, from start: Int, to end: Int
        ) throws(Fault) {
            let width = 15  // "content-length:"
            guard end - start > width, bytes[start] | 0x20 == UInt8(ascii: "c"),
                bytes[start + width - 1] == UInt8(ascii: ":"),
                bytes[start + 8] | 0x20 == UInt8(ascii: "l")
            else { return }
            for (offset, byte) in "content-length".utf8.enumerated()
            where byte != bytes[start + offset] | (byte == 0x2D ? 0 : 0x20) {
                return
            }
            var number = 0
            for index in (start + width)..<end where bytes[index] != UInt8(ascii: " ") {
                guard (0x30...0x39).contains(bytes[index]), number < 1 << 40 else { throw .notHTTP }
                number = number * 10 + Int(bytes[index] - 0x30)
            }
            bodyLength = number
        }
    }
}
