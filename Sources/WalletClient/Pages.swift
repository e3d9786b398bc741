/// A list of any length, fetched page by page as it is read.
///
/// Each iteration begins anew. The list is stable: what is written meanwhile neither repeats nor
/// hides an element.
public struct Pages<Element: Codable & Sendable>: AsyncSequence, Sendable {
    /// Lists fail with a ``WalletError`` and nothing else.
    public typealias Failure = WalletError

    let transport: Transport
    let path: String
    /// The filters as a query, which all pages share.
    let filters: String
    let size: Int

    /// Begins with the first page.
    public func makeAsyncIterator() -> Iterator { Iterator(list: self) }

    /// Holds one page.
    public struct Iterator: AsyncIteratorProtocol {
        /// Lists fail with a ``WalletError`` and nothing else.
        public typealias Failure = WalletError

        let list: Pages
        private var items: ArraySlice<Element> = []
        private var cursor: String?
        private var isLastPage = false

        init(list: Pages) {
            self.list = list
        }

        /// The next element; fetches a page when there is none left of the last one.
        public mutating func next() async throws(WalletError) -> Element? {
            while items.isEmpty {
                guard !isLastPage else { return nil }
                var call = Call(.get, path: list.path)
                call.query =
                    list.filters + (list.filters.isEmpty ? "?" : "&") + "limit=\(list.size)"
                if let cursor { call.query += "&cursor=" + segment(cursor) }
                let page = try await list.transport.send(call, reading: Page<Element>.self).value
                items = page.items[...]
                guard page.next == nil || page.next != cursor else {
                    throw .unreadable("A page names itself as the next one.")
                }
                cursor = page.next
                isLastPage = page.next == nil
            }
            return items.popFirst()
        }
    }
}

/// One page as the service sends it.
private struct Page<Element: Codable & Sendable>: Codable, Sendable {
    var items: [Element]
    var next: String?
}
