import AsyncHTTPClient
import NIOCore

/// An answer's body, piece by piece; it can be read once.
///
/// A body that is cut short ends with an error, never as if it were whole.
public struct ByteStream: AsyncSequence, Sendable {
    /// Bodies fail with a ``WalletError`` and nothing else.
    public typealias Failure = WalletError

    private let body: HTTPClientResponse.Body

    init(_ response: HTTPClientResponse) {
        body = response.body
    }

    /// Begins to read.
    public func makeAsyncIterator() -> Iterator { Iterator(pieces: body.makeAsyncIterator()) }

    /// Holds one piece.
    public struct Iterator: AsyncIteratorProtocol {
        /// Bodies fail with a ``WalletError`` and nothing else.
        public typealias Failure = WalletError

        private var pieces: HTTPClientResponse.Body.AsyncIterator

        init(pieces: HTTPClientResponse.Body.AsyncIterator) {
            self.pieces = pieces
        }

        /// The next piece, as it arrived.
        public mutating func next() async throws(WalletError) -> [UInt8]? {
            do {
                let piece = try await pieces.next()
                guard !Task.isCancelled else { throw WalletError.cancelled }
                return piece.map { Array($0.readableBytesView) }
            } catch {
                throw WalletError(sending: error)
            }
        }
    }
}
