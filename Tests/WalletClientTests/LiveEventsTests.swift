import Testing
import WalletClient

@Suite("Live events", .timeLimit(.minutes(1)))
struct LiveEventsTests {
    private static func stream(_ text: String) -> FaultyService.Act {
        .answerAndClose(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n"
                + "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n")
    }

    private static func event(_ position: Int) -> String {
        """
        id: 1-\(position)
        event: deposited
        data: {"position":\(position),"hash":"ab",
        data: "event":{"type":"deposited","recordedAt":1768473000000001}}


        """
    }

    @Test("go on where they were when the connection is lost, without repetition or gap")
    func resumes() async throws {
        let seen = try await FaultyService.run([
            Self.stream(": hello\n\n" + Self.event(6) + Self.event(7) + "id: 1-8\nda"), .close,
            .problem(503, "OVERLOADED", retryable: true),
            Self.stream(Self.event(7) + Self.event(8)),
        ]) { url in
            let client = try WalletClient(testing: url)
            var positions: [Int64] = []
            for try await event in client.events(after: 5) {
                #expect(event.type == "deposited")
                #expect(event.recordedAt?.microsecondsSinceEpoch == 1_768_473_000_000_001)
                positions.append(event.position)
                if event.position == 8 { break }
            }
            #expect(positions == [6, 7, 8])
        }
        #expect(seen.map { $0.headers["last-event-id"] } == [nil, "1-7", "1-7", "1-7"])
        #expect(seen.first?.line == "GET /v1/events/stream?after=5 HTTP/1.1")
        #expect(seen.allSatisfy { $0.headers["accept"] == "text/event-stream" })
    }

    @Test("fail where one is missing")
    func gap() async throws {
        _ = try await FaultyService.run([Self.stream(Self.event(1) + Self.event(3))]) { url in
            let client = try WalletClient(testing: url)
            var positions: [Int64] = []
            let error = await #expect(throws: WalletError.self) {
                for try await event in client.events() { positions.append(event.position) }
            }
            #expect(error?.code == .unreadableAnswer)
            #expect(positions == [1])
        }
    }

    @Test("end with an error when the ledger was restored to before the last one")
    func restored() async throws {
        let seen = try await FaultyService.run([
            Self.stream(Self.event(1)), .problem(409, "TOKEN_UNKNOWN", retryable: false),
        ]) { url in
            let client = try WalletClient(testing: url)
            let error = await #expect(throws: WalletError.self) {
                for try await _ in client.events() {}
            }
            #expect(error?.code == .tokenUnknown)
        }
        #expect(seen.count == 2)
    }

    @Test("end with an error when nothing is heard for too many attempts")
    func givenUp() async throws {
        let pauses = Pauses()
        let seen = try await FaultyService.run([Self.stream(Self.event(1))]) { url in
            let client = try WalletClient(testing: url, pauses) { $0.reconnects = 3 }
            let error = await #expect(throws: WalletError.self) {
                for try await _ in client.events() {}
            }
            #expect(error?.kind == .transport)
        }
        #expect(seen.count == 5)
        #expect(pauses.all.count == 4)
    }

    @Test("go on for ever where connections last but nothing happens")
    func quiet() async throws {
        let quiet = Array(repeating: Self.stream(": alive\n\n"), count: 6)
        let seen = try await FaultyService.run(quiet + [Self.stream(Self.event(1))]) { url in
            let client = try WalletClient(testing: url) {
                $0.reconnects = 2
                // Every connection lasts longer than that.
                $0.longestPause = .zero
            }
            for try await event in client.events() {
                #expect(event.position == 1)
                break
            }
        }
        #expect(seen.count == 7)
    }

    @Test("end with an error when the task is cancelled, never as if the log had ended")
    func cancelled() async throws {
        let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
        _ = try await FaultyService.run([.silence { arrived.finish() }]) { url in
            let client = try WalletClient(testing: url)
            let task = Task { for try await _ in client.events() {} }
            for await _ in arrivals {}
            task.cancel()
            let error = await #expect(throws: WalletError.self) { try await task.value }
            #expect(error?.kind == .cancelled)
        }
    }
}

@Suite("A stream of server-sent events")
struct ServerSentEventTests {
    private static let text =
        "\u{FEFF}: comment\r\nid: 1\r\ndata: a\r\ndata:  b\r\n\r\nretry: 250\rdata\r\r"
        + "id\nevent: x\ndata:c:d\nunknown: y\n\nid: 9\n\ndata: never ended"
    private static let events = [
        ServerSentEvent(id: "1", data: "a\n b"), ServerSentEvent(id: "1", data: ""),
        ServerSentEvent(id: "", data: "c:d"),
    ]

    @Test("is the same in pieces of any size", arguments: [1, 2, 3, 7, 1_000])
    func pieces(size: Int) throws {
        let bytes = Array(Self.text.utf8)
        var parser = ServerSentEventParser()
        var events: [ServerSentEvent] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            events += try parser.feed(bytes[start..<min(start + size, bytes.count)])
        }
        #expect(events == Self.events)
        #expect(parser.retry == 250)
    }

    @Test("has events of a bounded size")
    func bounded() throws {
        var parser = ServerSentEventParser()
        let half = Array(
            repeating: UInt8(ascii: "x"), count: ServerSentEventParser.largestEvent / 2)
        _ = try parser.feed(Array("data:".utf8) + half + Array("\ndata:".utf8))
        #expect(throws: ServerSentEventParser.TooLarge.self) { try parser.feed(half) }
    }
}
