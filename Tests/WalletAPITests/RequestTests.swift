import HTTPTypes
import Testing
import WalletAPI
import WalletCore
import WalletTesting

@Suite("A request", .timeLimit(.minutes(1)))
struct RequestTests {
    @Test(
        "for a path that is none is answered 404",
        arguments: [
            "", "/", "/v1", "/v1/", "/v1/wallet", "/v1/wallets/", "/v1//wallets", "//v1/wallets",
            "/V1/wallets", "/v1/wallets/x/y/z", "/v1/transfers/", "/v1/%77allets", "/health",
            "/v1/wallets/x/deposits/", "*",
        ])
    func unknownPath(path: String) async throws {
        try await Service.run { service in
            for method in [.get, .post] as [HTTPRequest.Method] {
                let answer = try await service.send(method, path, Array("{}".utf8))
                #expect(answer.status == 404)
                #expect(answer.code == "NOT_FOUND")
            }
        }
    }

    @Test("with a method that the path does not have is told those that it has")
    func otherMethods() async throws {
        try await Service.run { service in
            let templates = Dictionary(grouping: service.responder.routes, by: \.template)
            for (template, routes) in templates {
                var methods = Set(routes.map(\.method.rawValue))
                if methods.contains("GET") { methods.insert("HEAD") }
                let path = template.replacing("{", with: "").replacing("}", with: "")
                for method in [.get, .post, .put, .patch, .delete, .head, .options]
                    as [HTTPRequest.Method] where !methods.contains(method.rawValue)
                {
                    let answer = try await service.send(method, path)
                    #expect(answer.status == 405, "\(method) \(path)")
                    if method == .head {
                        #expect(answer.body.isEmpty)
                    } else {
                        #expect(answer.code == "METHOD_NOT_ALLOWED")
                    }
                    let allowed = answer.header("Allow") ?? ""
                    #expect(Set(allowed.split(separator: ", ").map(String.init)) == methods)
                }
            }
        }
    }

    @Test(
        "to write must say that its body is JSON",
        arguments: [
            ("application/json", true), ("application/json; charset=utf-8", true),
            ("APPLICATION/JSON", true), ("application/json ;charset=utf-8", true), (nil, false),
            ("", false), ("text/plain", false), ("text/json", false), ("application/jsonx", false),
            ("application/problem+json", false), ("application/json, text/plain", false),
            ("application/x-www-form-urlencoded", false), ("*/*", false),
        ] as [(String?, Bool)])
    func contentType(type: String?, isRead: Bool) async throws {
        try await Service.run { service in
            let answer = try await service.post(
                "/v1/wallets", #"{"userId":"alice","currency":"USD"}"#,
                headers: ["Content-Type": type])
            #expect(answer.status == (isRead ? 201 : 415))
            if !isRead { #expect(answer.code == "UNSUPPORTED_MEDIA_TYPE") }
        }
    }

    @Test("has a body of so many bytes and no more")
    func bodySize() async throws {
        try await Service.run(maximumBody: 100) { service in
            let body = #"{"userId":"alice","currency":"USD"}"#
            let fits = body + String(repeating: " ", count: 100 - body.utf8.count)
            #expect(try await service.post("/v1/wallets", fits).status == 201)
            let tooLong = try await service.post("/v1/wallets", fits + " ")
            #expect(tooLong.status == 413)
            #expect(tooLong.code == "BODY_TOO_LARGE")
            let announced = try await service.post(
                "/v1/wallets", body, headers: ["Content-Length": "101"])
            #expect(announced.status == 413)
        }
    }

    @Test("gets a number of its own, which its problem names, and is never kept by a cache")
    func requestID() async throws {
        try await Service.run { service in
            var seen: Set<String> = []
            for path in ["/health/live", "/v1/users/alice/wallets", "/nothing", "/v1/wallets/x"] {
                let answer = try await service.get(path, headers: ["X-Request-Id": "mine"])
                let id = try #require(answer.header("X-Request-Id"))
                #expect(id.count == 32 && id.allSatisfy { $0.isHexDigit })
                #expect(seen.insert(id).inserted)
                if answer.status >= 400 { #expect(try answer.text("requestId") == id) }
                #expect(answer.header("Cache-Control") == "no-store")
            }
        }
    }

    @Test(
        "with a query that is not understood whole is malformed",
        arguments: [
            "limit=0", "limit=201", "limit=-1", "limit=+1", "limit=1.0", "limit=", "limit=x",
            "limit=1&limit=1", "limit=1&%6Cimit=1", "order=up", "order=", "type=walletOpened",
            "type=", "colour=red", "Limit=1", "from=yesterday", "from=2026-01-15",
            "from=2026-01-15T10:30:00", "to=2026-01-15T10:30:00.1234567Z", "from=%ff", "from=%4",
            "cursor=", "cursor=AAAA", "cursor=%20", "at=2026-01-15T10:30:00Z",
        ])
    func malformedQuery(query: String) async throws {
        try await Service.run { service in
            let wallet = try await service.wallet()
            let answer = try await service.get("/v1/wallets/\(wallet)/transactions?\(query)")
            #expect(answer.status == 400)
            #expect(answer.code == "MALFORMED_REQUEST")
        }
    }

    @Test("may write a time's plus sign as it stands or escaped")
    func plusSign() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet()
            for sign in ["+", "%2B", "%2b"] {
                let answer = try await service.get(
                    "/v1/wallets/\(wallet)/balance?at=2026-01-15T12:00:00\(sign)02:00")
                #expect(answer.status == 200)
                #expect(try answer.text("at") == "2026-01-15T10:00:00.000000Z")
            }
        }
    }

    @Test(
        "that names a thing by anything but a canonical UUID is malformed",
        arguments: [
            "x", "0198C0DE-0000-7000-8000-000000000001", "0198c0de00007000800000000000000001",
            "{0198c0de-0000-7000-8000-000000000001}", "0198c0de-0000-7000-8000-00000000000",
            "0198c0de-0000-7000-8000-0000000000011", "0198c0de-0000-7000-8000-00000000000%00",
            "%FF", "%", "..",
        ])
    func malformedIdentifier(id: String) async throws {
        try await Service.run { service in
            for path in [
                "/v1/wallets/\(id)", "/v1/wallets/\(id)/balance", "/v1/transactions/\(id)",
            ] {
                #expect(try await service.get(path).code == "MALFORMED_REQUEST", "\(path)")
            }
            let deposit = try await service.post("/v1/wallets/\(id)/deposits", #"{"amount":1}"#)
            #expect(deposit.code == "MALFORMED_REQUEST")
        }
    }

    @Test(
        "to write needs an Idempotency-Key of 1 to 255 visible ASCII characters",
        arguments: [
            (nil, "IDEMPOTENCY_KEY_REQUIRED"), ("", "MALFORMED_REQUEST"),
            ("two words", "MALFORMED_REQUEST"), ("ключ", "MALFORMED_REQUEST"),
            ("tab\tbed", "MALFORMED_REQUEST"),
            (String(repeating: "k", count: 256), "MALFORMED_REQUEST"),
            (String(repeating: "k", count: 255), nil), ("!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~", nil),
        ] as [(String?, String?)])
    func idempotencyKey(key: String?, code: String?) async throws {
        try await Service.run { service in
            let answer = try await service.post(
                "/v1/wallets", #"{"userId":"alice","currency":"USD"}"#,
                headers: ["Idempotency-Key": key])
            #expect(answer.code == code)
            #expect(answer.status == (code == nil ? 201 : 400))
        }
    }

    @Test(
        "with If-Match must give a wallet's ETag",
        arguments: [
            ("\"v1\"", 201), ("\"v2\"", 412), ("\"v0\"", 412), ("\"v9223372036854775807\"", 412),
            ("v1", 400), ("\"1\"", 400), ("\"v\"", 400), ("\"v", 400), ("\"", 400), ("*", 400),
            ("W/\"v1\"", 400), ("\"v-1\"", 400), ("\"v1\", \"v2\"", 400),
            ("\"v99999999999999999999\"", 400), ("", 400),
        ])
    func ifMatch(value: String, status: Int) async throws {
        try await Service.run { service in
            let wallet = try await service.wallet()
            let answer = try await service.post(
                "/v1/wallets/\(wallet)/deposits", #"{"amount":1}"#, headers: ["If-Match": value])
            #expect(answer.status == status)
        }
    }

    @Test("must have the members of its contract, of their kinds, and no others")
    func members() async throws {
        try await Service.run { service in
            let wallet = try await service.wallet()
            for body in [
                "{}", "[]", "null", "7", #"{"amount":"1"}"#, #"{"amount":1.0}"#, #"{"amount":1e0}"#,
                #"{"amount":null}"#, #"{"amount":true}"#, #"{"amount":[1]}"#,
                #"{"amount":1,"colour":"red"}"#, #"{"amount":1,"Amount":1}"#,
                #"{"amount":1,"currency":840}"#, #"{"amount":1,"currency":null}"#,
                #"{"amount":1,"reference":1}"#, #"{"amount":1,"description":{}}"#,
                #"{"amount":1,"metadata":{"a":1}}"#, #"{"amount":1,"metadata":[]}"#,
                #"{"amount":1,"walletId":"\#(wallet)"}"#,
            ] {
                let answer = try await service.post("/v1/wallets/\(wallet)/deposits", body)
                #expect(answer.status == 400, "\(body)")
                #expect(answer.code == "MALFORMED_REQUEST", "\(body)")
            }
            #expect(try await service.get("/v1/wallets/\(wallet)").json["version"] == .integer(1))
        }
    }

    @Test(
        "has texts within their limits, counted in Unicode scalars",
        arguments: [
            (#""reference":"\#(String(repeating: "😀", count: 128))""#, true),
            (#""reference":"\#(String(repeating: "😀", count: 129))""#, false),
            (#""reference":"""#, false), (#""reference":"a\nb""#, false),
            (#""reference":"a\u007f""#, false),
            (#""description":"\#(String(repeating: "é", count: 1_000))""#, true),
            (#""description":"\#(String(repeating: "é", count: 1_001))""#, false),
            (#""description":"""#, true), (#""description":"line\nline""#, true),
            (#""metadata":{"k":"\#(String(repeating: "v", count: 4_095))"}"#, true),
            (#""metadata":{"k":"\#(String(repeating: "v", count: 4_096))"}"#, false),
            (#""metadata":{"k":"\#(String(repeating: "é", count: 2_048))"}"#, false),
            (#""metadata":{\#((0..<20).map { "\"k\($0)\":\"\"" }.joined(separator: ","))}"#, true),
            (#""metadata":{\#((0..<21).map { "\"k\($0)\":\"\"" }.joined(separator: ","))}"#, false),
            (#""metadata":{\#((0..<65).map { "\"k\($0)\":\"\"" }.joined(separator: ","))}"#, false),
            (#""metadata":{\#((0..<999).map { "\"\($0)\":\"\"" }.joined(separator: ","))}"#, false),
        ])
    func texts(member: String, fits: Bool) async throws {
        try await Service.run { service in
            let wallet = try await service.wallet()
            let answer = try await service.post(
                "/v1/wallets/\(wallet)/deposits", #"{"amount":1,\#(member)}"#)
            #expect(answer.status == (fits ? 201 : 422))
            if !fits {
                #expect(answer.code == "VALIDATION_FAILED")
                #expect(member.contains("\"\(try answer.text("field"))\""))
            }
        }
    }
}
