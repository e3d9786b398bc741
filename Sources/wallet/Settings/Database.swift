import Foundation
import LedgerEngine
import LedgerStores
import WalletCore

/// Where the ledger lies, as given by `--database` or `WALLET_DATABASE`.
struct Database {
    /// The file used when nothing is said.
    static let defaultURL = "sqlite:data/ledger.sqlite"

    let path: String

    /// Reads `sqlite:PATH`.
    init(_ url: String) throws {
        guard url.hasPrefix("sqlite:"), url.count > 7 else {
            throw CommandFailure(
                "The database \(url.debugDescription) cannot be used: give sqlite:PATH, such as "
                    + "\(Database.defaultURL).")
        }
        path = String(url.dropFirst(7))
    }

    /// Opens the ledger; makes the file, its folder and the ledger where `mayCreate` says so.
    func open(
        mayCreate: Bool,
        configure: (inout SQLiteLedgerStore.Configuration) throws -> Void = { _ in }
    ) throws -> SQLiteLedgerStore {
        let file = URL(fileURLWithPath: path)
        if mayCreate {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        } else if !FileManager.default.fileExists(atPath: file.path) {
            throw CommandFailure(
                "There is no ledger at \(path). `wallet serve --database sqlite:\(path)` makes one."
            )
        }
        var configuration = SQLiteLedgerStore.Configuration(path: path)
        try configure(&configuration)
        let now = SystemClock.now()
        do {
            return try SQLiteLedgerStore(
                configuration,
                newLedger: LedgerID(recordedAt: now, position: 0, entropy: SystemEntropy.next()),
                now: SystemClock.now)
        } catch let error as StoreError {
            throw CommandFailure("The ledger at \(path) cannot be opened: \(error.sentence).")
        } catch let error as UnfinishedImport {
            throw CommandFailure(
                "The ledger at \(path) is not whole: an import into it began at "
                    + "\(error.startedAt.rfc3339) and is not finished. Wait for it, or run "
                    + "`wallet import --database sqlite:\(path) < FILE` again, which begins anew.")
        }
    }
}

/// The process's clock.
enum SystemClock {
    /// Microseconds since the Unix epoch.
    @Sendable static func now() -> Instant {
        var time = timespec()
        // Safe: the call writes to `time` and keeps no pointer to it.
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }
}

/// The operating system's random numbers.
enum SystemEntropy {
    @Sendable static func next() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}

extension StoreError {
    /// The error in words for an operator.
    var sentence: String {
        switch self {
        case .unavailable(let reason): reason
        case .commitUnknown: "the outcome of a commit is not known; run the command again"
        case .rejected(let reason): "the database refuses it (\(reason))"
        case .corrupted(let reason): reason
        }
    }
}
