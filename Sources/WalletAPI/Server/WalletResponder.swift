import HTTPTypes
package import Hummingbird
import LedgerEngine
import Logging
import NIOCore
import NIOHTTPTypes
import WalletCore

/// What Hummingbird hands along with a request.
package struct WalletRequestContext: InitializableFromSource, Sendable {
    /// The connection; absent for a request that did not come over one.
    private let channel: (any Channel)?

    package init(source: ApplicationRequestContextSource) {
        channel = source.channel
    }

    /// A context for a request that did not come over a socket.
    package init() {
        channel = nil
    }

    /// Tells a client that waits for it (`Expect: 100-continue`) to send its body.
    fileprivate func askForBody(of request: Request) async {
        guard let channel, let expectation = request.headers[.expect],
            expectation.lowercased() == "100-continue"
        else { return }
        // Fails only where the connection is lost, which reading the body will tell.
        try? await channel.writeAndFlush(
            HTTPResponsePart.head(HTTPResponse(status: .continue))
        ).get()
    }
}

/// Turns every HTTP request into an answer: finds the route, the caller and the body, and is the
/// one place where errors become problems.
package struct WalletResponder: HTTPResponder {
    private let table: RouteTable
    private let authenticator: Authenticator
    private let ownership: Ownership
    private let maximumBody: Int
    private let logger: Logger

    init(
        routes: [Route], authenticator: Authenticator, ownership: Ownership, maximumBody: Int,
        logger: Logger
    ) {
        table = RouteTable(routes: routes)
        self.authenticator = authenticator
        self.ownership = ownership
        self.maximumBody = maximumBody
        self.logger = logger
    }

    /// Every call that is answered.
    package var routes: [Route] { table.routes }

    package func respond(
        to request: Request, context: WalletRequestContext
    ) async throws -> Response {
        let requestID = Self.makeRequestID()
        var answer: APIResponse
        do {
            answer = try await answerTo(request, context, requestID)
        } catch let error as HTTPParserFailure {
            throw error.underlying
        } catch {
            answer = APIResponse(problem(from: error, requestID), requestID: requestID)
        }
        answer.headers[.requestID] = requestID
        answer.headers[.cacheControl] = "no-store"
        if answer.headers[.contentType] == nil {
            answer.headers[.contentType] = "application/json"
        }
        let isHead = request.method == .head
        let body: ResponseBody
        switch answer.body {
        case .bytes(let bytes):
            answer.headers[.contentLength] = "\(bytes.count)"
            body = isHead ? .init() : .init(byteBuffer: ByteBuffer(bytes: bytes))
        case .stream(let stream):
            body =
                isHead
                ? .init { try await $0.finish(nil) }
                : .init(stream, of: request, requestID, logger)
        }
        return Response(
            status: .init(code: answer.status), headers: answer.headers, body: body)
    }

    private func answerTo(
        _ request: Request, _ context: WalletRequestContext, _ requestID: String
    ) async throws -> APIResponse {
        let target = request.head.path ?? ""
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let route: Route
        let segments: [Substring]
        switch table.match(request.method, parts.first ?? "") {
        case .nothing:
            throw Problem(.notFound, "There is nothing at this path.")
        case .otherMethods(let methods):
            var problem = Problem(.methodNotAllowed, "This path has other methods.")
            problem.allow = methods
            throw problem
        case .route(let found, let parameters):
            route = found
            segments = parameters
        }
        let caller = try await authorise(request.headers, for: route)
        let parameters = try segments.map { segment throws(Problem) in
            guard let text = percentDecoded(segment) else {
                throw .malformed("The path is not percent-encoded UTF-8.")
            }
            return text
        }
        let apiRequest = APIRequest(
            headers: request.headers, parameters: parameters,
            query: try Query(parts.count > 1 ? parts[1] : nil),
            body: route.method == .post ? try await body(of: request, context) : [],
            caller: caller, requestID: requestID)
        try await ownership.check(apiRequest, route.users)
        var answer = try await route.handler(apiRequest)
        if case .stream(var stream) = answer.body {
            stream.reauthorise = { _ = try await authorise(request.headers, for: route) }
            answer.body = .stream(stream)
        }
        return answer
    }

    private func authorise(_ headers: HTTPFields, for route: Route) async throws -> Caller? {
        guard let scope = route.scope else { return nil }
        let caller = try await authenticator.caller(of: headers)
        if caller.actor.user != nil, route.users == .forbidden {
            throw Problem(.forbidden, "This is the platform's alone, not a user's.")
        }
        guard caller.scopes.contains(scope) else {
            let name = scope.names.first ?? ""
            throw Problem(.forbidden, "This needs the scope `\(name)`.")
        }
        return caller
    }

    private func body(
        of request: Request, _ context: WalletRequestContext
    ) async throws -> [UInt8] {
        let unsupported = Problem(
            .unsupportedMediaType, "The Content-Type must be application/json.")
        let type = request.headers[.contentType]
        if let type {
            let essence = type.prefix { $0 != ";" }.trimmingSpaces().lowercased()
            guard essence == "application/json" else { throw unsupported }
        }
        let tooLarge = Problem(
            .bodyTooLarge, "The body must not exceed \(maximumBody) bytes.")
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > maximumBody {
            throw tooLarge
        }
        await context.askForBody(of: request)
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: maximumBody)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        } catch {
            // The connection broke or spoke no HTTP; Hummingbird knows what to do about it.
            throw HTTPParserFailure(underlying: error)
        }
        // No body needs no type; the route knows whether it can do without one.
        guard type != nil || buffer.readableBytes == 0 else { throw unsupported }
        return Array(buffer.readableBytesView)
    }

    private func problem(from error: any Error, _ requestID: String) -> Problem {
        switch error {
        case let problem as Problem: return problem
        case let error as QueryError: return Problem(error)
        case let error as StoreError:
            logger.error(
                "the store failed",
                metadata: ["error": "\(error)", "request.id": "\(requestID)"])
            return Problem(.readsUnavailable, "The ledger cannot be read now. Try again.")
        case let fault as LogFault:
            logger.error(
                "the log is damaged",
                metadata: ["error": "\(fault)", "request.id": "\(requestID)"])
            return Problem(.readsUnavailable, "The ledger cannot be read now. Try again.")
        default:
            logger.error(
                "a request failed",
                metadata: ["error": "\(error)", "request.id": "\(requestID)"])
            return Problem(.internalError, "Something went wrong on our side. Try again.")
        }
    }

    static func makeRequestID() -> String {
        var generator = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        bytes.appendHex(generator.next(), digits: 16)
        bytes.appendHex(generator.next(), digits: 16)
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A body that could not be read to its end.
private struct HTTPParserFailure: Error {
    var underlying: any Error
}

extension StringProtocol {
    fileprivate func trimmingSpaces() -> SubSequence {
        let start = firstIndex { $0 != " " && $0 != "\t" } ?? endIndex
        guard let end = lastIndex(where: { $0 != " " && $0 != "\t" }) else {
            return self[start..<start]
        }
        return self[start...end]
    }
}
