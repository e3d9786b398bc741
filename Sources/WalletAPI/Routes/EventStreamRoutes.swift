import HTTPTypes
import LedgerEngine
import Synchronization
import WalletCore

/// How many streams of events there may be, and how they show that they live.
package struct EventStreamLimits: Hashable, Sendable {
    /// Streams of this process at most. Each reads the log for itself, so that their number times
    /// the commits a second is what they ask of the database.
    package var maximum = 64
    /// How long a stream is silent at most.
    package var heartbeat: Duration = .seconds(15)

    package init() {}
}

/// The log as server-sent events, from any place in it to the present and on.
struct EventStreamRoutes: Sendable {
    /// How many events are read and sent at a time; all that a slow client costs.
    static let pageSize = 100

    private let queries: Queries
    private let feed: LogFeed
    private let heartbeat: Duration
    private let slots: StreamSlots

    init(queries: Queries, feed: LogFeed, limits: EventStreamLimits) {
        self.queries = queries
        self.feed = feed
        heartbeat = limits.heartbeat
        slots = StreamSlots(limit: limits.maximum)
    }

    var routes: [Route] {
        [Route(.get, "/v1/events/stream", scope: .admin, stream)]
    }

    @Sendable private func stream(_ request: APIRequest) async throws -> APIResponse {
        try request.query.allow("after")
        let accept = Accept(request.headers[.accept])
        guard accept.best(of: ServerSentEvent.contentType) != nil else {
            throw Problem(.notAcceptable, "The stream is \(ServerSentEvent.contentType).")
        }
        let wanted = try request.streamStart()
        guard !feed.isStopped, let slot = slots.take() else {
            throw Problem(
                .overloaded,
                "This instance has as many streams as it can serve, or is stopping. Try again.")
        }
        let start: Reading<ConsistencyToken>
        do {
            start = try await queries.place(
                wanted.position, epoch: wanted.epoch, after: try request.consistencyToken())
        } catch QueryError.unknownToken {
            throw Problem(
                .tokenUnknown,
                "The log has no such place: it is ahead of the head, or its timeline was lost in a "
                    + "restore. Begin again after a position that GET /v1/events knows.")
        }
        var response = APIResponse(
            200, contentType: ServerSentEvent.contentType,
            stream: BodyStream(isLive: true) { sink in
                try await send(after: start.value, to: &sink)
                withExtendedLifetime(slot) {}
            })
        response.headers[.connection] = "close"
        response.headers[.accelBuffering] = "no"
        return response.reflecting(start.token)
    }

    /// Sends until the service stops, the client leaves, or it may not have this any more.
    private func send(after start: ConsistencyToken, to sink: inout BodySink) async throws {
        var place = start
        var lastSent = ContinuousClock.now
        try await sink.write(ServerSentEvent.opening)
        while !feed.isStopped, !Task.isCancelled {
            // Asked before the log is read, so that what comes in between wakes us at once.
            let announced = feed.latest
            let reading = try await queries.log(
                after: place.position, limit: EventStreamRoutes.pageSize, token: place)
            try await sink.checkCaller()
            if let (page, last) = try EventStreamRoutes.page(of: reading.value) {
                try await sink.write(page)
                place = last
                lastSent = .now
            } else {
                if ContinuousClock.now - lastSent >= heartbeat {
                    try await sink.write(ServerSentEvent.heartbeat)
                    lastSent = .now
                }
                _ = await feed.next(after: max(place.position, announced))
            }
        }
    }

    /// The lines of some events and the place of the last; `nil` where there are none.
    private static func page(
        of records: [LogRecord]
    ) throws(LogFault) -> (bytes: [UInt8], last: ConsistencyToken)? {
        var bytes: [UInt8] = []
        var last: ConsistencyToken?
        for record in records {
            let event = try record.event()
            ServerSentEvent.append(record, event, to: &bytes)
            last = event.place
        }
        return last.map { (bytes, $0) }
    }
}

extension APIRequest {
    /// Where a stream begins: after the last event that the client has seen, by `Last-Event-ID`,
    /// or else after the position that it names; without either, at the beginning.
    fileprivate func streamStart() throws(Problem) -> (position: Int64, epoch: Int64?) {
        let after = try position("after") ?? 0
        guard let id = headers[.lastEventID], !id.isEmpty else { return (after, nil) }
        guard let place = ServerSentEvent.place(of: id) else {
            throw .malformed("The Last-Event-ID is not one that this service gave out.")
        }
        return (place.position, place.epoch)
    }
}

/// Counts streams, and has room for so many.
final class StreamSlots: Sendable {
    /// A place that is given back when nobody holds it any more, however its stream ended.
    final class Slot: Sendable {
        private let slots: StreamSlots

        fileprivate init(_ slots: StreamSlots) {
            self.slots = slots
        }

        deinit {
            slots.taken.withLock { $0 -= 1 }
        }
    }

    private let limit: Int
    private let taken = Mutex(0)

    init(limit: Int) {
        self.limit = limit
    }

    /// A slot; `nil` while all are taken.
    func take() -> Slot? {
        let hasRoom = taken.withLock { taken in
            guard taken < limit else { return false }
            taken += 1
            return true
        }
        return hasRoom ? Slot(self) : nil
    }
}
