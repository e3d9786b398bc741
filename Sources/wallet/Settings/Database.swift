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

    /// Opens the ledger; makes it and its folder where the access says so and there is no file.
    func open(
        _ access: SQLiteLedgerStore.Access,
        configure: (inout SQLiteLedgerStore.Configuration) throws -> Void = { _ in }
    ) throws -> SQLiteLedgerStore {
        if access == .creating { try makeFolder() }
        var configuration = SQLiteLedgerStore.Configuration(path: path)
        configuration.access = access
        // Whoever serves the ledger keeps the write-ahead log short; others leave it alone.
        configuration.checkpointPages = 0
        try configure(&configuration)
        let now = SystemClock.now()
        do {
            return try SQLiteLedgerStore(
                configuration,
                newLedger: LedgerID(recordedAt: now, position: 0, entropy: SystemEntropy.next()),
                now: SystemClock.now)
        } catch let error as MissingLedger {
            throw failure(error)
        } catch let error as StoreError {
            throw CommandFailure(
                "The ledger at \(path) cannot be opened: \(error.sentence).",
                isUnavailable: error.isUnavailable)
        } catch let error as UnfinishedImport {
            throw CommandFailure(
                "The ledger at \(path) is not whole: an import into it began at "
                    + "\(error.startedAt.rfc3339) and is not finished. Wait for it, or run "
                    + "`wallet import --database sqlite:\(path) < FILE` again, which begins anew.")
        }
    }

    /// Takes the place of the one process that serves the ledger.
    ///
    /// - Parameter mayCreate: whether the ledger may still have to be made.
    func lock(mayCreate: Bool) throws -> ServiceLock {
        if mayCreate { try makeFolder() }
        guard mayCreate || SQLiteFile.exists(path) else { throw failure(.noFile) }
        do {
            guard let lock = try ServiceLock(besides: path, isPatient: true) else {
                throw CommandFailure(
                    "The ledger at \(path) is in use by another `wallet serve` or `wallet import`; "
                        + "only one may have it.")
            }
            return lock
        } catch let error as StoreError {
            throw CommandFailure("The ledger at \(path) cannot be opened: \(error.sentence).")
        }
    }

    /// Copies the write-ahead log into the file, unless a service has the file and that would be
    /// dangerous; says whether nothing is left in it.
    func fold(_ store: SQLiteLedgerStore) async throws -> Bool {
        let lock = try ServiceLock(besides: path, isPatient: false)
        guard lock != nil || SQLiteLibrary.foldsBesideWriters else { return false }
        let isDone = try await store.foldWriteAheadLog()
        return withExtendedLifetime(lock) { isDone }
    }

    private func makeFolder() throws {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        do {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true)
        } catch {
            let cause = (error as? CocoaError)?.underlying as? POSIXError
            let reason = cause.map { " (\(SystemError($0.code.rawValue).sentence))" } ?? ""
            throw CommandFailure(
                "The folder \(folder.path) cannot be made\(reason); choose another with "
                    + "--database or WALLET_DATABASE.")
        }
    }

    private func failure(_ error: MissingLedger) -> CommandFailure {
        switch error {
        case .noFile:
            CommandFailure(
                "There is no ledger at \(path). If there should be one, look for its disk; "
                    + "`wallet serve --create --database sqlite:\(path)` makes a new one.")
        case .notInFile:
            CommandFailure(
                "There is no ledger in \(path): the file is empty, or another program's. "
                    + "Choose another with --database or WALLET_DATABASE.")
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
    /// Whether it says nothing about the ledger itself.
    var isUnavailable: Bool {
        switch self {
        case .unavailable, .commitUnknown: true
        case .rejected, .corrupted: false
        }
    }

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
