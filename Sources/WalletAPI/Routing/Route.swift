package import HTTPTypes
package import LedgerEngine

/// One call of the contract: its method, its path, what it takes to be allowed, what it does.
package struct Route: Sendable {
    typealias Handler = @Sendable (APIRequest) async throws -> APIResponse

    package let method: HTTPRequest.Method
    /// `/v1/wallets/{id}/deposits`; also the label in metrics.
    package let template: String
    /// `nil` for the few routes that are open.
    package let scope: Scopes?
    /// What of it users may reach; nothing, unless the route says otherwise.
    package let users: UserAccess
    let handler: Handler
    /// The template's segments; `nil` stands for a parameter.
    let segments: [String?]

    init(
        _ method: HTTPRequest.Method, _ template: String, scope: Scopes?,
        users: UserAccess = .forbidden, _ handler: @escaping Handler
    ) {
        self.method = method
        self.template = template
        self.scope = scope
        self.users = users
        self.handler = handler
        segments = template.split(separator: "/").map { $0.hasPrefix("{") ? nil : String($0) }
    }

    /// The parameters of a path that has this form; `nil` for any other.
    func match(_ path: [Substring]) -> [Substring]? {
        guard path.count == segments.count else { return nil }
        var parameters: [Substring] = []
        for (segment, part) in zip(segments, path) {
            if let segment {
                guard segment == part else { return nil }
            } else {
                guard !part.isEmpty else { return nil }
                parameters.append(part)
            }
        }
        return parameters
    }
}

/// All routes. One table holds path, method, scope and what users may reach, so that none can be
/// forgotten.
struct RouteTable: Sendable {
    let routes: [Route]

    enum Match {
        case route(Route, parameters: [Substring])
        /// The path exists, with these methods.
        case otherMethods([String])
        case nothing
    }

    /// HEAD is a GET whose answer has no body, so it goes where GET goes.
    func match(_ method: HTTPRequest.Method, _ path: Substring) -> Match {
        let wanted = method == .head ? .get : method
        // Empty segments count: `/v1//wallets` and a trailing slash are other paths.
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        var methods: [String] = []
        for route in routes {
            guard let parameters = route.match(parts) else { continue }
            if route.method == wanted { return .route(route, parameters: parameters) }
            methods.append(route.method.rawValue)
            if route.method == .get { methods.append(HTTPRequest.Method.head.rawValue) }
        }
        return methods.isEmpty ? .nothing : .otherMethods(methods)
    }
}
