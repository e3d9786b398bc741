import CSQLite
import LedgerEngine

/// One connection to an SQLite database, to be used from one thread at a time.
///
/// Errors never carry SQL or a path; see ``StoreError``.
@safe
package final class SQLiteConnection {
    // Safe: never leaves this file, is open from `init` to `deinit`, and statements keep it alive.
    private let handle: OpaquePointer

    /// What may be done to a file.
    package enum Access: Hashable, Sendable {
        case reading
        /// Reading a file that nobody changes, where no file can be made beside it.
        case readingImmutable
        case writing
        /// Writing, to a new file if there is none.
        case creating
    }

    /// Opens the file, and makes it if it may.
    package init(path: String, _ access: Access, busyTimeoutMilliseconds: Int32) throws {
        var opened: OpaquePointer?
        let code = unsafe sqlite3_open_v2(
            access.name(of: path), &opened, SQLITE_OPEN_NOMUTEX | access.flags, nil)
        guard code == SQLITE_OK, let connection = unsafe opened else {
            let reason = unsafe opened.map { unsafe sqlite3_system_errno($0) } ?? 0
            unsafe sqlite3_close_v2(opened)
            throw SQLiteConnection.openingError(code, systemError: reason)
        }
        unsafe handle = connection
        unsafe sqlite3_extended_result_codes(connection, 1)
        unsafe sqlite3_busy_timeout(connection, busyTimeoutMilliseconds)
    }

    deinit {
        unsafe sqlite3_close_v2(handle)
    }

    /// Compiles a statement that is used again and again.
    package func prepare(_ sql: String) throws -> SQLiteStatement {
        var compiled: OpaquePointer?
        let code = unsafe sqlite3_prepare_v3(
            handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &compiled, nil)
        guard code == SQLITE_OK, let statement = unsafe compiled else {
            throw SQLiteConnection.error(code, message)
        }
        return unsafe SQLiteStatement(statement, of: self)
    }

    /// Runs statements that return nothing.
    package func execute(_ sql: String) throws {
        let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw SQLiteConnection.error(code, message) }
    }

    /// Whether the file is no longer where it was opened: writing to it would be in vain.
    var hasMoved: Bool {
        var moved: Int32 = 0
        let code = unsafe sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved)
        return code == SQLITE_OK && moved != 0
    }

    /// The rows that the last statement changed.
    var changes: Int { unsafe Int(sqlite3_changes(handle)) }

    /// Whether a transaction is open; SQLite ends one by itself on some errors.
    var isInTransaction: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }

    fileprivate var message: String {
        guard let text = unsafe sqlite3_errmsg(handle) else { return "unknown" }
        return unsafe String(cString: text)
    }

    private static func openingError(_ code: Int32, systemError: Int32) -> StoreError {
        guard code & 0xFF == SQLITE_CANTOPEN, systemError != 0 else {
            return error(code, "the ledger's file cannot be opened")
        }
        return .unavailable(
            reason: "the file cannot be opened (\(SystemError(systemError).sentence))")
    }

    /// The database's error as the port's: what will pass, what the data is to blame for, and what
    /// the file is to blame for.
    fileprivate static func error(_ code: Int32, _ message: String) -> StoreError {
        switch code & 0xFF {
        case SQLITE_CONSTRAINT, SQLITE_TOOBIG, SQLITE_MISMATCH, SQLITE_RANGE:
            .rejected(reason: "constraint \(code)")
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            .corrupted(reason: "the file is damaged (\(code))")
        case SQLITE_FULL:
            .unavailable(reason: "the disk is full")
        case SQLITE_BUSY, SQLITE_LOCKED:
            .unavailable(reason: "another process holds the ledger's file")
        default:
            .unavailable(reason: "SQLite error \(code): \(message)")
        }
    }
}

extension SQLiteConnection.Access {
    fileprivate var flags: Int32 {
        switch self {
        case .reading: SQLITE_OPEN_READONLY
        case .readingImmutable: SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
        case .writing: SQLITE_OPEN_READWRITE
        case .creating: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        }
    }

    /// The path, or where that cannot say enough, a URI.
    fileprivate func name(of path: String) -> String {
        switch self {
        case .reading, .writing, .creating: path
        case .readingImmutable:
            SQLiteFile.uri(of: path) + "?immutable=1"
        }
    }
}

/// A compiled statement; binds by position from 1, reads columns from 0.
@safe
package final class SQLiteStatement {
    // Safe: never leaves this class and lives from `init` to `deinit`.
    private let handle: OpaquePointer
    /// Keeps the connection open as long as its statement.
    private let connection: SQLiteConnection

    fileprivate init(_ handle: OpaquePointer, of connection: SQLiteConnection) {
        unsafe self.handle = handle
        self.connection = connection
    }

    deinit {
        unsafe sqlite3_finalize(handle)
    }

    /// Moves to the next row; `false` when there is none.
    package func step() throws -> Bool {
        let code = unsafe sqlite3_step(handle)
        switch code {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default:
            unsafe sqlite3_reset(handle)
            throw SQLiteConnection.error(code, connection.message)
        }
    }

    /// Binds, runs to the end, and forgets the row, so that the statement holds no lock.
    package func run(_ values: SQLiteValue...) throws {
        try bindAll(values)
        while try step() {}
        unsafe sqlite3_reset(handle)
    }

    /// Reads every row.
    package func rows<Row>(_ values: SQLiteValue..., read: (SQLiteStatement) throws -> Row) throws
        -> [Row]
    {
        try bindAll(values)
        defer { unsafe sqlite3_reset(handle) }
        var rows: [Row] = []
        while try step() { rows.append(try read(self)) }
        return rows
    }

    /// Reads rows until the body says that it has seen enough.
    package func each(
        _ values: SQLiteValue..., while body: (SQLiteStatement) throws -> Bool
    ) throws {
        try bindAll(values)
        defer { unsafe sqlite3_reset(handle) }
        while try step(), try body(self) {}
    }

    /// Reads the first row, if there is one.
    package func first<Row>(_ values: SQLiteValue..., read: (SQLiteStatement) throws -> Row) throws
        -> Row?
    {
        try bindAll(values)
        defer { unsafe sqlite3_reset(handle) }
        return try step() ? try read(self) : nil
    }

    private func bindAll(_ values: [SQLiteValue]) throws {
        unsafe sqlite3_reset(handle)
        for (offset, value) in values.enumerated() {
            let index = Int32(offset + 1)
            switch value {
            case .integer(let integer):
                try check(unsafe sqlite3_bind_int64(handle, index, integer))
            case .blob(let bytes):
                try check(
                    unsafe bytes.withUnsafeBytes { buffer in
                        guard let base = buffer.baseAddress else {
                            return unsafe sqlite3_bind_zeroblob(handle, index, 0)
                        }
                        return unsafe wallet_sqlite3_bind_blob(
                            handle, index, base, Int32(clamping: buffer.count))
                    })
            case .null:
                try check(unsafe sqlite3_bind_null(handle, index))
            }
        }
    }

    private func check(_ code: Int32) throws {
        guard code == SQLITE_OK else { throw SQLiteConnection.error(code, connection.message) }
    }

    package func integer(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(handle, column) }

    func optionalInteger(_ column: Int32) -> Int64? {
        unsafe sqlite3_column_type(handle, column) == SQLITE_NULL ? nil : integer(column)
    }

    package func blob(_ column: Int32) -> [UInt8] {
        let count = unsafe Int(sqlite3_column_bytes(handle, column))
        guard count > 0, let base = unsafe sqlite3_column_blob(handle, column) else { return [] }
        return unsafe [UInt8](UnsafeRawBufferPointer(start: base, count: count))
    }
}

/// What a statement is given.
package enum SQLiteValue {
    case integer(Int64)
    case blob([UInt8])
    case null

    package static func optional(_ integer: Int64?) -> SQLiteValue {
        integer.map { .integer($0) } ?? .null
    }
    package static func text(_ text: String) -> SQLiteValue { .blob(Array(text.utf8)) }
}
