import HTTPTypes
import Testing
import WalletAPI

@Suite("The documents", .timeLimit(.minutes(1)))
struct DocumentTests {
    @Test("are open to everyone, part of the program, and name every route")
    func routes() async throws {
        try await Service.run { service in
            let contract = try await service.send(.get, "/openapi.yaml", secret: nil)
            let page = try await service.send(.get, "/docs", secret: nil)
            #expect(contract.status == 200 && page.status == 200)
            let text = String(decoding: contract.body, as: UTF8.self)
            let html = String(decoding: page.body, as: UTF8.self)
            for route in service.responder.routes {
                #expect(text.contains("\n  \(route.template):\n"), "\(route.template)")
                #expect(html.contains("<code>\(route.template)</code>"), "\(route.template)")
            }
        }
    }

    @Test("say of every error what it means, once")
    func errors() async throws {
        let sections = ErrorRegistry.markdown.split(separator: "\n## ").dropFirst()
        #expect(sections.count == ProblemCode.allCases.count)
        for (section, code) in zip(sections, ProblemCode.allCases) {
            #expect(section.hasPrefix("\(code.rawValue)\n"))
            #expect(section.contains("**\(code.status)**"))
            #expect(section.contains("*What to do:* "))
        }
        try await Service.run { service in
            let page = try await service.get("/docs")
            let html = String(decoding: page.body, as: UTF8.self)
            for code in ProblemCode.allCases {
                #expect(html.contains("id=\"\(code.rawValue)\""), "\(code)")
            }
        }
    }

    @Test("come with a policy that lets them ask for nothing, and take no parameters")
    func policy() async throws {
        try await Service.run { service in
            let page = try await service.get("/docs")
            let policy = try #require(page.header("Content-Security-Policy"))
            #expect(policy.hasPrefix("default-src 'none'; style-src 'sha256-"))
            #expect(!policy.contains("unsafe") && !policy.contains("http"))
            #expect(page.header("X-Content-Type-Options") == "nosniff")
            for path in ["/docs", "/openapi.yaml"] {
                let answer = try await service.get(path + "?version=2")
                #expect(answer.status == 400 && answer.code == "MALFORMED_REQUEST")
            }
        }
    }
}
