import Testing
import WalletAPI
import WalletCore
import WalletTesting

/// What of a stream can be seen without a socket.
@Suite("A stream", .timeLimit(.minutes(1)))
struct StreamTests {
    @Test("of a statement has the shapes of the balance and of the history")
    func statement() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet(500)
            service.clock.advance(byMicroseconds: 10)
            _ = try await service.post(
                "/v1/wallets/\(wallet)/withdrawals", #"{"amount":200,"reference":"r"}"#)
            service.clock.advance(byMicroseconds: 10)
            let answer = try await service.get("/v1/wallets/\(wallet)/statement")
            #expect(answer.status == 200)
            #expect(answer.header("Content-Type") == "application/json")
            #expect(answer.header("Content-Length") == nil)
            #expect(answer.header("Consistency-Token") != nil)
            #expect(
                answer.json.names == [
                    "walletId", "currency", "from", "to", "opening", "entries", "closing", "final",
                ])
            let history = try await service.get("/v1/wallets/\(wallet)/transactions?order=asc")
            #expect(answer.json["entries"] == history.json["items"])
            for (end, total) in [("opening", 0), ("closing", 300)] as [(String, Int64)] {
                let at = try #require(answer.json[end]?["at"]?.text)
                let balance = try await service.get("/v1/wallets/\(wallet)/balance?at=\(at)")
                #expect(answer.json[end] == balance.json)
                #expect(answer.json[end]?["total"] == .integer(total))
            }
        }
    }

    @Test("of a statement may be CSV, whose header names every column")
    func csv() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet(500)
            let answer = try await service.get(
                "/v1/wallets/\(wallet)/statement", headers: ["Accept": "text/csv"])
            #expect(answer.header("Content-Type") == "text/csv; charset=utf-8; header=present")
            let lines = String(decoding: answer.body, as: UTF8.self).split(separator: "\r\n")
            #expect(
                lines.map { $0.prefix { $0 != "," } } == ["row", "opening", "entry", "closing"])
            let widths = lines.map { line in line.count { $0 == "," } }
            #expect(Set(widths).count == 1)
        }
    }

    @Test("that is not there, not wanted or not possible is a problem, not a stream")
    func problems() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet()
            let path = "/v1/wallets/\(wallet)/statement"
            let nobody = "/v1/wallets/0198c0de-0000-7000-8000-000000000001/statement"
            #expect(try await service.get(nobody).code == "WALLET_NOT_FOUND")
            let html = ["Accept": "text/html"]
            #expect(try await service.get(path, headers: html).code == "NOT_ACCEPTABLE")
            let turned = "?from=2026-01-15T00:00:01Z&to=2026-01-15T00:00:00Z"
            #expect(try await service.get(path + turned).code == "VALIDATION_FAILED")
            let events = "/v1/events/stream"
            #expect(try await service.get(events, headers: html).code == "NOT_ACCEPTABLE")
            #expect(try await service.get(events + "?after=2").code == "TOKEN_UNKNOWN")
            for id in ["1", "1-x"] {
                let answer = try await service.get(events, headers: ["Last-Event-ID": id])
                #expect(answer.code == "MALFORMED_REQUEST")
            }
        }
    }

    @Test("of events is announced as one and is never kept or buffered on the way")
    func events() async throws {
        try await Service.run { service in
            _ = try await service.wallet()
            let answer = try await service.get("/v1/events/stream?after=1")
            #expect(answer.status == 200)
            #expect(answer.header("Content-Type") == "text/event-stream")
            #expect(answer.header("Cache-Control") == "no-store")
            #expect(answer.header("X-Accel-Buffering") == "no")
            #expect(answer.header("Connection") == "close")
        }
    }
}
