import LedgerEngine
import WalletCore

/// Which part of a list is asked for.
struct PageRequest: Sendable {
    static let defaultLimit = 50
    static let maximumLimit = 200

    var limit: Int
    /// What the cursor holds: the sort key of the last item that the caller has.
    var after: [UInt8]?
    private let filters: Digest

    /// Reads `limit` and `cursor`.
    ///
    /// - Parameter filters: names the list and all of its filters; a cursor fits only the list
    ///   that it came from.
    init(_ query: Query, filters: String...) throws(Problem) {
        self.filters = .sha256(filters.reduce(into: []) { $0.appendLengthPrefixed($1) })
        limit = PageRequest.defaultLimit
        if let text = query["limit"] {
            guard let number = Int(text), (1...PageRequest.maximumLimit).contains(number),
                text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
            else { throw .malformed("`limit` must be from 1 to \(PageRequest.maximumLimit).") }
            limit = number
        }
        guard let cursor = query["cursor"] else { return }
        guard let bytes = Base64URL.decode(cursor), bytes.count > 8,
            Array(bytes.prefix(8)) == seal(Array(bytes.dropFirst(8)))
        else { throw .malformed("`cursor` does not belong to this list and its filters.") }
        after = Array(bytes.dropFirst(8))
    }

    /// The cursor of the page after the one that ends with this sort key.
    func cursor(after key: [UInt8]) -> String { Base64URL.encode(seal(key) + key) }

    /// The cursor of the page after the one that was read at this place in the log.
    func cursor(after key: [UInt8], at place: ConsistencyToken) -> String {
        cursor(after: place.bytes + key)
    }

    /// Where in the log the page before was read and the sort key it ended with; `nil` without a
    /// cursor.
    ///
    /// A cursor of a timeline that a restore lost would leave out what is recorded in its stead.
    ///
    /// - Throws: 409 if the log does not know the place any more.
    func start(
        in queries: Queries
    ) async throws -> (place: ConsistencyToken, key: [UInt8])? {
        guard let after else { return nil }
        guard let place = ConsistencyToken(bytes: Array(after.prefix(ConsistencyToken.size)))
        else { throw Problem.malformed("`cursor` cannot be read.") }
        try await queries.requirePlace(place.position, epoch: place.epoch)
        return (place, Array(after.dropFirst(ConsistencyToken.size)))
    }

    /// Ties a sort key to the list; not a secret, since every page is authorised anew.
    private func seal(_ key: [UInt8]) -> [UInt8] {
        Array(Digest.sha256(Array("cursor".utf8), filters.bytes, key).bytes.prefix(8))
    }
}

extension Queries {
    /// Refuses to read on from a place that the log has not come to, or has lost.
    ///
    /// - Parameter epoch: the timeline that the caller believes it belongs to, if he has a belief.
    func requirePlace(_ position: Int64, epoch: Int64?) async throws {
        do {
            _ = try await place(position, epoch: epoch, after: nil)
        } catch QueryError.unknownToken {
            throw Problem(
                .tokenUnknown,
                "The log does not know the place to go on from: it is ahead of the head, or its "
                    + "timeline was lost in a restore. Begin again with the first page.")
        }
    }
}
