import HTTPTypes
import LedgerEngine
import WalletAPI

/// Who may make which call, written down a second time: a route that is not here, or is other than
/// it is here, fails the tests.
enum AccessTable {
    struct Entry: Hashable {
        var call: String
        /// What an API key needs; `nil` where nobody needs anything.
        var scope: String?
        var users: UserAccess

        init(_ call: String, _ scope: String?, _ users: UserAccess) {
            self.call = call
            self.scope = scope
            self.users = users
        }
    }

    static let entries: [Entry] = [
        Entry("GET /health/live", nil, .forbidden),
        Entry("GET /health/ready", nil, .forbidden),
        Entry("GET /openapi.yaml", nil, .forbidden),
        Entry("GET /docs", nil, .forbidden),

        Entry("POST /v1/wallets", "write", .byActor),
        Entry("POST /v1/transfers", "write", .byActor),
        Entry("POST /v1/batches", "write", .byActor),
        Entry("POST /v1/wallets/{id}/deposits", "write", .forbidden),
        Entry("POST /v1/wallets/{id}/withdrawals", "write", .forbidden),
        Entry("POST /v1/wallets/{id}/holds", "write", .forbidden),
        Entry("POST /v1/wallets/{id}/freeze", "write", .forbidden),
        Entry("POST /v1/wallets/{id}/unfreeze", "write", .forbidden),
        Entry("POST /v1/wallets/{id}/close", "write", .forbidden),
        Entry("POST /v1/holds/{id}/capture", "write", .forbidden),
        Entry("POST /v1/holds/{id}/release", "write", .forbidden),
        Entry("POST /v1/transactions/{id}/reversals", "write", .forbidden),

        Entry("GET /v1/wallets/{id}", "read", .ownWallet),
        Entry("GET /v1/wallets/{id}/balance", "read", .ownWallet),
        Entry("GET /v1/wallets/{id}/transactions", "read", .ownWallet),
        Entry("GET /v1/wallets/{id}/holds", "read", .ownWallet),
        Entry("GET /v1/wallets/{id}/statement", "read", .ownWallet),
        Entry("GET /v1/holds/{id}", "read", .ownHold),
        Entry("GET /v1/transactions/{id}", "read", .ownTransaction),
        Entry("GET /v1/users/{userId}/wallets", "read", .ownUser),
        Entry("GET /v1/idempotency-keys/{key}", "read", .byActor),

        Entry("GET /v1/events", "admin", .forbidden),
        Entry("GET /v1/events/stream", "admin", .forbidden),
        Entry("GET /v1/ledger", "admin", .forbidden),
        Entry("POST /v1/api-keys", "admin", .forbidden),
        Entry("GET /v1/api-keys", "admin", .forbidden),
        Entry("POST /v1/api-keys/{id}/revoke", "admin", .forbidden),
    ]
}

extension AccessTable.Entry {
    init(_ route: Route) {
        self.init(
            "\(route.method.rawValue) \(route.template)", route.scope?.names.joined(), route.users)
    }
}
