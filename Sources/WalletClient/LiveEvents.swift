import AsyncHTTPClient
import Foundation
import NIOCore

extension WalletClient {
    /// The ledger's events as they happen, without end and without gaps (scope `admin`).
    ///
    /// - Parameter position: the place after which they begin; 0 for the log's beginning. To go on
    ///   in another process, keep the position of the last event that was dealt with.
    public func events(after position: Int64 = 0) -> LiveEvents {
        LiveEvents(transport: transport, position: position)
    }
}

/// The ledger's events as they happen: each once, in order, without gaps.
///
/// When the connection is lost it is made again, and the stream goes on where it was. It ends only
/// with an error: when the task is cancelled, when the service refuses, or when it stays away for
/// longer than ``WalletClient/Configuration/reconnects`` attempts.
/// ``WalletError/Code/tokenUnknown`` means that the ledger was restored to before the last event:
/// whatever was built from the events has to be built again.
public struct LiveEvents: AsyncSequence, Sendable {
    /// Streams fail with a ``WalletError`` and nothing else.
    public typealias Failure = WalletError

    let transport: Transport
    let position: Int64

    /// Begins at the position that the stream was made with.
    public func makeAsyncIterator() -> Iterator {
        Iterator(transport: transport, position: position)
    }

    /// Holds one connection, and what has arrived in one piece.
    public struct Iterator: AsyncIteratorProtocol {
        /// Streams fail with a ``WalletError`` and nothing else.
        public typealias Failure = WalletError

        private let transport: Transport
        private var position: Int64
        private var lastEventID: String?
        private var parser = ServerSentEventParser()
        private var body: HTTPClientResponse.Body.AsyncIterator?
        private var arrived: ArraySlice<ServerSentEvent> = []
        /// How often it was connected, or tried to, since it last heard an event or was connected
        /// for long.
        private var attempts = 0
        private var connectedAt: ContinuousClock.Instant?

        init(transport: Transport, position: Int64) {
            self.transport = transport
            self.position = position
        }

        /// The next event; waits for it as long as it takes.
        public mutating func next() async throws(WalletError) -> WalletClient.LogEvent? {
            while true {
                while let event = arrived.popFirst() {
                    if let new = try accept(event) { return new }
                }
                guard !Task.isCancelled else { throw .cancelled }
                do {
                    try await receive()
                } catch {
                    body = nil
                    try await pause(after: error)
                    connectedAt = nil
                }
            }
        }

        /// Waits for a piece of the stream.
        private mutating func receive() async throws(WalletError) {
            if body == nil {
                attempts += 1
                parser = ServerSentEventParser()
                var call = Call(.get, path: "/v1/events/stream", query: ["after": "\(position)"])
                call.accept = "text/event-stream"
                call.lastEventID = lastEventID
                call.isRepeatable = false
                body = try await transport.open(call).body.makeAsyncIterator()
                connectedAt = .now
            }
            do {
                guard let piece = try await body?.next() else {
                    throw WalletError(
                        .transport, .connectionFailed, "The service ended the stream.",
                        isRetryable: true)
                }
                arrived = try parser.feed(piece.readableBytesView)[...]
            } catch is ServerSentEventParser.TooLarge {
                throw WalletError(
                    .transport, .unreadableAnswer, "An event is larger than is read.")
            } catch {
                throw WalletError(sending: error)
            }
        }

        /// Waits until the stream may be asked for again, or gives it up.
        private mutating func pause(after error: WalletError) async throws(WalletError) {
            let configuration = transport.configuration
            // A ledger may have no events for days, and a connection seldom lasts that long.
            if let connectedAt, connectedAt.duration(to: .now) > configuration.longestPause {
                attempts = 1
            }
            let asked =
                error.retryAfter ?? parser.retry.map { .milliseconds(Swift.min($0, 30_000)) }
            guard error.isRetryable, error.kind != .cancelled, !Task.isCancelled,
                attempts <= configuration.reconnects,
                let pause = transport.timing.pause(after: attempts, asked: asked, configuration)
            else {
                var error = Task.isCancelled ? .cancelled : error
                error.attempts = attempts
                throw error
            }
            do {
                try await transport.timing.sleep(pause)
            } catch {
                throw .cancelled
            }
        }

        /// The event, unless it has been seen.
        private mutating func accept(
            _ event: ServerSentEvent
        ) throws(WalletError) -> WalletClient.LogEvent? {
            let new = try JSON.decode(WalletClient.LogEvent.self, Data(event.data.utf8))
            attempts = 0
            lastEventID = event.id ?? lastEventID
            guard new.position > position else { return nil }
            guard new.position == position + 1 else {
                throw .unreadable("Event \(new.position) came after event \(position).")
            }
            position = new.position
            return new
        }
    }
}
