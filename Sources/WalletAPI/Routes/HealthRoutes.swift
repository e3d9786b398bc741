import HTTPTypes
import LedgerEngine
import Synchronization
import WalletCore

/// Whether the process is up, and whether it should be sent requests. Open to everyone, and so
/// without a word on why not.
struct HealthRoutes: Sendable {
    let queries: Queries
    let readiness: Readiness

    var routes: [Route] {
        [
            Route(.get, "/health/live", scope: nil) { _ in
                APIResponse(200) { $0.health("live") }
            },
            Route(.get, "/health/ready", scope: nil) { _ in
                guard readiness.isReady, (try? await queries.head()) != nil else {
                    throw Problem(.readsUnavailable, "This instance is not ready.")
                }
                return APIResponse(200) { $0.health("ready") }
            },
        ]
    }
}

/// Whether this instance wants requests; ends for good when it starts to stop.
package final class Readiness: Sendable {
    private let isStopping = Atomic<Bool>(false)

    package init() {}

    package var isReady: Bool { !isStopping.load(ordering: .relaxed) }

    package func stop() { isStopping.store(true, ordering: .relaxed) }
}

extension CanonicalJSON {
    fileprivate mutating func health(_ status: String) {
        beginObject()
        member("status", status)
        endObject()
    }
}
