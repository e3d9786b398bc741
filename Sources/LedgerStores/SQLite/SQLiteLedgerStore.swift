import Foundation
package import LedgerEngine
import Synchronization
package import WalletCore

/// A ledger in one SQLite file: WAL, `synchronous=FULL`, one writer and a few readers, each a
/// connection on a thread of its own. Readers see the last commit and never wait for the writer.
package final class SQLiteLedgerStore: LedgerStore {
    /// How the file is used; each has a default that is documented for operators.
    package struct Configuration: Hashable, Sendable {
        package var path: String
        package var access = Access.creating
        /// Connections for reading, 1 … 64.
        package var readConnections = 2
        /// How long to wait for another process that holds the file.
        package var busyTimeoutMilliseconds: Int32 = 5_000
        /// A pause added to each commit, to imitate a disk that is slower than this one.
        package var commitDelay: Duration = .zero
        /// What the writer keeps of the file in memory, in KiB.
        package var cacheKibibytes = 65_536
        /// Pages of the write-ahead log from which a commit copies them into the file; 0 for
        /// never, which is for all who are not alone: SQLite before 3.51.3 may damage a file that
        /// one process writes to while another begins its log anew.
        package var checkpointPages = 1_000
        /// Whether a ledger whose import is not finished may be opened: to import it again.
        package var opensUnfinishedImport = false

        package init(path: String) {
            self.path = path
        }
    }

    /// What may be done to the file.
    package enum Access: Hashable, Sendable {
        /// Nothing is written, not even a setting of the file.
        case reading
        /// The ledger must be there; its tables are brought up to date.
        case writing
        /// A ledger is made where there is no file.
        case creating
    }

    /// Whether the ledger was made when it was opened.
    package let isNew: Bool
    /// Absent where nothing may be written.
    private let writer: SQLiteWorker?
    private let readers: [SQLiteWorker]
    private let nextReader = Atomic<Int>(0)
    private let commitDelay: Duration

    /// Opens the file, as far as ``Access`` allows.
    ///
    /// What is deleted is overwritten (`secure_delete`), so that erased text leaves the file.
    ///
    /// - Parameters:
    ///   - newLedger: the identifier of the ledger, should one be made.
    ///   - now: the process's clock, which is the database's.
    /// - Throws: ``StoreError``, ``MissingLedger``, or ``UnfinishedImport``.
    package init(
        _ configuration: Configuration, newLedger: LedgerID,
        now: @escaping @Sendable () -> Instant
    ) throws {
        if configuration.access == .creating {
            isNew = try SQLiteFile.make(configuration.path, newLedger, now: now())
        } else {
            isNew = false
        }
        guard SQLiteFile.exists(configuration.path) else { throw MissingLedger.noFile }
        writer =
            configuration.access == .reading
            ? nil
            : SQLiteWorker(
                try SQLiteSession(try configuration.openWriter(now: now()), clock: now),
                thread: "ledger-writer")
        var readers: [SQLiteWorker] = []
        for index in 0..<max(1, configuration.readConnections) {
            let session = try SQLiteSession(try configuration.openReader(), clock: now)
            if index == 0, !configuration.opensUnfinishedImport,
                let startedAt = try session.unfinishedImport()
            {
                throw UnfinishedImport(startedAt: startedAt)
            }
            readers.append(SQLiteWorker(session, thread: "ledger-reader-\(index)"))
        }
        self.readers = readers
        commitDelay = configuration.commitDelay
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerSnapshot) throws -> Value
    ) async throws -> Value {
        let turn = nextReader.wrappingAdd(1, ordering: .relaxed).newValue
        return try await readers[Int(turn.magnitude % UInt(readers.count))].read(body)
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerTransaction) throws -> Value
    ) async throws -> Value {
        try await writable.write(commitDelay: commitDelay, body)
    }

    private var writable: SQLiteWorker {
        get throws {
            guard let writer else {
                throw StoreError.unavailable(reason: "the ledger was opened for reading only")
            }
            return writer
        }
    }
}

extension SQLiteLedgerStore.Configuration {
    /// The connection of those who write, with the file's tables up to date.
    fileprivate func openWriter(now: Instant) throws -> SQLiteConnection {
        let connection = try SQLiteConnection(
            path: path, .writing, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
        try SQLiteMigrator(connection).requireLedger()
        try SQLiteFile.requireWriteAheadLog(connection)
        try connection.execute(
            """
            PRAGMA synchronous = FULL;
            PRAGMA cache_size = -\(cacheKibibytes);
            PRAGMA temp_store = MEMORY;
            PRAGMA wal_autocheckpoint = \(checkpointPages);
            PRAGMA journal_size_limit = 67108864;
            PRAGMA trusted_schema = OFF;
            PRAGMA secure_delete = ON;
            """)
        try SQLiteMigrator(connection).migrate(now: now)
        return connection
    }

    fileprivate func openReader() throws -> SQLiteConnection {
        let connection: SQLiteConnection
        do {
            connection = try openReader(.reading)
        } catch StoreError.unavailable(let reason) {
            // An index is made beside the file for every reader, where nothing can be made.
            guard !SQLiteFile.canMakeFiles(beside: path) else {
                throw StoreError.unavailable(reason: reason)
            }
            guard SQLiteFile.hasNoWriteAheadLog(path) else {
                throw StoreError.unavailable(
                    reason: "its newest commits are in a write-ahead log, which cannot be read in "
                        + "a folder that cannot be written to; copy the file and its -wal elsewhere"
                )
            }
            connection = try openReader(.readingImmutable)
        }
        if access == .reading { try SQLiteMigrator(connection).requireUpToDate() }
        try connection.execute(
            "PRAGMA query_only = ON; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;")
        return connection
    }

    private func openReader(_ access: SQLiteConnection.Access) throws -> SQLiteConnection {
        let connection = try SQLiteConnection(
            path: path, access, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
        try SQLiteMigrator(connection).requireLedger()
        return connection
    }
}

extension SQLiteLedgerStore {
    /// Copies the whole write-ahead log into the file, so that the file alone is the ledger.
    ///
    /// For the end of a stop: what cannot be copied, because another process reads, stays in the
    /// log and is as durable there. Says whether all of it could be copied; then nothing that was
    /// erased is left in the write-ahead log.
    @discardableResult
    package func foldWriteAheadLog() async throws -> Bool {
        try await writable.foldWriteAheadLog()
    }
}

/// A session and the thread that it is used on.
private actor SQLiteWorker {
    private let executor: ThreadExecutor
    private let session: SQLiteSession

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        // Safe: the actor holds its executor for as long as it lives.
        unsafe executor.asUnownedSerialExecutor()
    }

    init(_ session: sending SQLiteSession, thread: String) {
        executor = ThreadExecutor(name: thread)
        self.session = session
    }

    func read<Value: Sendable>(
        _ body: @Sendable (any LedgerSnapshot) throws -> Value
    ) throws -> Value {
        try requirePlace()
        try session.connection.execute("BEGIN")
        defer { rollBackIfOpen() }
        let value = try body(session)
        try session.connection.execute("COMMIT")
        return value
    }

    func write<Value: Sendable>(
        commitDelay: Duration, _ body: @Sendable (any LedgerTransaction) throws -> Value
    ) throws -> Value {
        // IMMEDIATE takes the write lock, and with it the head, before anything is read.
        try session.connection.execute("BEGIN IMMEDIATE")
        defer { rollBackIfOpen() }
        let value = try body(session)
        try requirePlace()
        do {
            try session.connection.execute("COMMIT")
        } catch let error as StoreError {
            throw error.duringCommit
        }
        if commitDelay > .zero { Thread.sleep(forTimeInterval: commitDelay / .seconds(1)) }
        return value
    }

    func foldWriteAheadLog() throws -> Bool {
        let isBusy = try session.connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)")
            .first { $0.integer(0) != 0 }
        return isBusy == false
    }

    /// Requires that the file is where it was opened. A server would else acknowledge what nobody
    /// finds again, and show what is no longer the ledger.
    private func requirePlace() throws {
        guard session.connection.hasMoved else { return }
        throw StoreError.unavailable(reason: "the ledger's file has been moved or deleted")
    }

    private func rollBackIfOpen() {
        guard session.connection.isInTransaction else { return }
        // Nothing is left to do about a failure here: SQLite rolls back when it next opens.
        try? session.connection.execute("ROLLBACK")
    }
}

extension StoreError {
    /// The same, when the commit itself failed: only for a full disk, a lock or a constraint does
    /// SQLite promise that nothing was written.
    fileprivate var duringCommit: StoreError {
        switch self {
        case .unavailable(let reason) where reason.hasPrefix("SQLite error"): .commitUnknown
        case .unavailable, .commitUnknown, .rejected, .corrupted: self
        }
    }
}
