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
        /// Connections for reading, 1 … 64.
        package var readConnections = 2
        /// How long to wait for another process that holds the file.
        package var busyTimeoutMilliseconds: Int32 = 5_000
        /// A pause added to each commit, to imitate a disk that is slower than this one.
        package var commitDelay: Duration = .zero
        /// What the writer keeps of the file in memory, in KiB.
        package var cacheKibibytes = 65_536
        /// Pages of the write-ahead log from which a commit copies them into the file.
        package var checkpointPages = 1_000
        /// Whether a ledger whose import is not finished may be opened: to import it again.
        package var opensUnfinishedImport = false

        package init(path: String) {
            self.path = path
        }
    }

    private let writer: SQLiteWorker
    private let readers: [SQLiteWorker]
    private let nextReader = Atomic<Int>(0)
    private let commitDelay: Duration

    /// Opens the file, brings its tables up to date, and makes a ledger in it if there is none.
    ///
    /// What is deleted is overwritten (`secure_delete`), so that erased text leaves the file.
    ///
    /// - Parameters:
    ///   - newLedger: the identifier of the ledger, should one be made.
    ///   - now: the process's clock, which is the database's.
    /// - Throws: ``StoreError``, or ``UnfinishedImport``.
    package init(
        _ configuration: Configuration, newLedger: LedgerID,
        now: @escaping @Sendable () -> Instant
    ) throws {
        let connection = try SQLiteConnection(
            path: configuration.path, isReadOnly: false,
            busyTimeoutMilliseconds: configuration.busyTimeoutMilliseconds)
        try connection.execute(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            PRAGMA cache_size = -\(configuration.cacheKibibytes);
            PRAGMA temp_store = MEMORY;
            PRAGMA wal_autocheckpoint = \(configuration.checkpointPages);
            PRAGMA journal_size_limit = 67108864;
            PRAGMA trusted_schema = OFF;
            PRAGMA secure_delete = ON;
            """)
        try SQLiteMigrator(connection).migrate(newLedger: newLedger, now: now())
        let session = try SQLiteSession(connection, clock: now)
        if !configuration.opensUnfinishedImport, let startedAt = try session.unfinishedImport() {
            throw UnfinishedImport(startedAt: startedAt)
        }
        writer = SQLiteWorker(session, thread: "ledger-writer")
        var readers: [SQLiteWorker] = []
        for index in 0..<max(1, configuration.readConnections) {
            let connection = try SQLiteConnection(
                path: configuration.path, isReadOnly: true,
                busyTimeoutMilliseconds: configuration.busyTimeoutMilliseconds)
            try connection.execute(
                "PRAGMA query_only = ON; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;")
            readers.append(
                SQLiteWorker(
                    try SQLiteSession(connection, clock: now), thread: "ledger-reader-\(index)"))
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
        try await writer.write(commitDelay: commitDelay, body)
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
        try await writer.foldWriteAheadLog()
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
