import Foundation
import Synchronization

/// The newest `Consistency-Token` that a client has seen.
///
/// Answers to calls that run at the same time arrive in any order, and an old token that replaced
/// a newer one would let a read miss a write that the caller knows of. So the newer one is kept:
/// this library comes with the service and can tell which that is. A token of a form that it does
/// not know simply counts as newer than what was there before.
final class ConsistencyMemory: Sendable {
    private struct Seen {
        var token: String
        var place: Place?
    }

    private let seen = Mutex<Seen?>(nil)

    var token: String? { seen.withLock { $0?.token } }

    func remember(_ token: String) {
        let new = Seen(token: token, place: Place(token))
        seen.withLock { seen in
            if let old = seen?.place, let place = new.place, place < old { return }
            seen = new
        }
    }

    /// Forgets a token that the service does not know; a newer one stays.
    func forget(_ token: String) {
        seen.withLock { seen in
            if seen?.token == token { seen = nil }
        }
    }

    /// Timeline and position in the log, the first 16 of a token's 20 bytes, big-endian.
    private struct Place: Comparable {
        var bytes: [UInt8]

        init?(_ token: String) {
            let base64 = token.replacingOccurrences(of: "-", with: "+")
                .replacingOccurrences(of: "_", with: "/")
            let padding = String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
            guard let data = Data(base64Encoded: base64 + padding), data.count == 20 else {
                return nil
            }
            bytes = Array(data.prefix(16))
        }

        static func < (left: Place, right: Place) -> Bool {
            left.bytes.lexicographicallyPrecedes(right.bytes)
        }
    }
}
