import LedgerEngine
import WalletCore

/// Which part of a list is asked for.
struct PageRequest: Sendable {
    static let defaultLimit = 50
    static let maximumLimit = 200

    var limit: Int
    /// The sort key of the last item that the caller has.
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

    /// Ties a sort key to the list; not a secret, since every page is authorised anew.
    private func seal(_ key: [UInt8]) -> [UInt8] {
        Array(Digest.sha256(Array("cursor".utf8), filters.bytes, key).bytes.prefix(8))
    }
}
