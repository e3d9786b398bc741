import Foundation
import LedgerEngine
import LedgerStores
import WalletCore
import WalletTesting

/// A new folder, which goes when nobody needs it any more.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appending(path: "ledger-stores-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    var ledger: String { path + "/ledger.sqlite" }

    /// Opens the folder's ledger, and makes it if there is none.
    func open(
        _ clock: ManualClock = ManualClock(),
        _ change: (inout SQLiteLedgerStore.Configuration) -> Void = { _ in }
    ) throws -> SQLiteLedgerStore {
        var configuration = SQLiteLedgerStore.Configuration(path: ledger)
        change(&configuration)
        return try SQLiteLedgerStore(
            configuration, newLedger: Fixture.ledger, now: { clock.now })
    }

    /// A connection beside the store's, such as another process would have.
    func connect(_ access: SQLiteConnection.Access = .creating) throws -> SQLiteConnection {
        try SQLiteConnection(path: ledger, access, busyTimeoutMilliseconds: 5_000)
    }

    /// The bytes of a file, 0 where there is none.
    func size(of suffix: String) throws -> Int {
        guard FileManager.default.fileExists(atPath: ledger + suffix) else { return 0 }
        let attributes = try FileManager.default.attributesOfItem(atPath: ledger + suffix)
        return (attributes[.size] as? NSNumber)?.intValue ?? 0
    }
}
