import HTTPTypes
import LedgerEngine
import Testing
import WalletAPI
import WalletCore
import WalletTesting

@Suite("Access", .timeLimit(.minutes(1)))
struct AccessTests {
    private let someone = "0198c0de-0000-7000-8000-000000000001"

    private func path(_ route: Route) -> String {
        route.template.split(separator: "/")
            .map { $0.hasPrefix("{") ? "/\(someone)" : "/\($0)" }.joined()
    }

    @Test(
        "is open to health and the contract alone; what changes something needs more than to read")
    func scopes() async throws {
        try await Service.run { service in
            let routes = service.responder.routes
            #expect(!routes.isEmpty)
            for route in routes {
                switch route.scope {
                case nil:
                    let isOpen =
                        route.template.hasPrefix("/health/")
                        || ["/openapi.yaml", "/docs"].contains(route.template)
                    #expect(isOpen, "\(route.template)")
                case .some(.read): #expect(route.method == .get, "\(route.template)")
                case .some(let scope): #expect(scope == .write || scope == .admin)
                }
            }
            let log = routes.first { $0.template == "/v1/events" }
            #expect(log?.scope == .admin)
        }
    }

    @Test("to every route needs a key that is known and not revoked")
    func authentication() async throws {
        try await Service.run { service in
            for route in service.responder.routes where route.scope != nil {
                for secret in [nil, "", "wk_nobody", "wk_shop x", Service.revokedSecret]
                    as [String?]
                {
                    let answer = try await service.send(
                        route.method, path(route), Array("{}".utf8), secret: secret)
                    #expect(answer.status == 401, "\(route.template) with \(secret ?? "nothing")")
                    #expect(answer.code == "UNAUTHENTICATED")
                    #expect(answer.header("WWW-Authenticate") == "Bearer")
                }
            }
        }
    }

    @Test("is asked for by a bearer token and nothing else")
    func schemes() async throws {
        try await Service.run { service in
            let path = "/v1/users/alice/wallets"
            for (value, status) in [
                ("Bearer wk_shop", 200), ("bearer wk_shop", 200), ("BEARER wk_shop", 200),
                ("wk_shop", 401), ("Basic wk_shop", 401), ("Bearer", 401), ("Bearer  wk_shop", 401),
                ("Bearer wk_shop,wk_shop", 401),
                ("Bearer " + String(repeating: "x", count: 9_000), 401),
            ] {
                let answer = try await service.get(path, headers: ["Authorization": value])
                #expect(answer.status == status, "\(value.prefix(40))")
            }
        }
    }

    @Test("to every route needs its scope, and no other scope will do")
    func authorisation() async throws {
        try await Service.run { service in
            for route in service.responder.routes {
                guard let scope = route.scope else { continue }
                for (scopes, secret) in Service.secrets {
                    let answer = try await service.send(
                        route.method, path(route), Array("{}".utf8), secret: secret)
                    if scopes.contains(scope) {
                        #expect(![401, 403].contains(answer.status), "\(route.template)")
                    } else {
                        #expect(answer.status == 403, "\(route.template) with \(secret)")
                        #expect(answer.code == "FORBIDDEN")
                        #expect(answer.detail.contains("`\(scope.names.joined())`"))
                    }
                }
            }
        }
    }

    @Test("is judged before the body is looked at")
    func order() async throws {
        try await Service.run { service in
            let answer = try await service.send(
                .post, "/v1/wallets", Array("nonsense".utf8),
                headers: ["Content-Type": "text/plain"], secret: "wk_reader")
            #expect(answer.status == 403)
        }
    }

    @Test("is the same in the routes as in the table, with no route left out of either")
    func table() async throws {
        try await Service.run { service in
            let routes = service.responder.routes.map { AccessTable.Entry($0) }
            for route in routes {
                #expect(AccessTable.entries.contains(route), "\(route)")
            }
            for entry in AccessTable.entries {
                #expect(routes.contains(entry), "\(entry)")
            }
            #expect(Set(routes).count == routes.count)
        }
    }

    @Test("of a user ends at what is its own: 403 for the platform's calls, 404 for the rest")
    func users() async throws {
        let issuer = TestIssuer()
        try await Service.run(issuer: issuer) { service in
            let alice = try issuer.token("alice")
            for route in service.responder.routes where route.scope != nil {
                let answer = try await service.send(
                    route.method, path(route), Array("{}".utf8), secret: alice)
                switch route.users {
                case .forbidden: #expect(answer.status == 403, "\(route.template)")
                case .ownWallet, .ownHold, .ownTransaction, .ownUser:
                    #expect(answer.status == 404, "\(route.template)")
                case .byActor: #expect([400, 404].contains(answer.status), "\(route.template)")
                }
            }
        }
    }

    @Test("of a user needs the scope of the call as well")
    func scopesOfUsers() async throws {
        let issuer = TestIssuer()
        try await Service.run(issuer: issuer) { service in
            for scope in ["read", "write", "admin", ""] {
                let token = try issuer.token("alice", scope: scope)
                for route in service.responder.routes {
                    guard let needed = route.scope, route.users != .forbidden else { continue }
                    let answer = try await service.send(
                        route.method, path(route), Array("{}".utf8), secret: token)
                    let isAllowed = needed.names == [scope]
                    #expect((answer.status != 403) == isAllowed, "\(route.template), \(scope)")
                }
            }
        }
    }
}
