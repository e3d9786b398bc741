import Foundation
import LedgerEngine
import WalletCore

/// A ledger's file as a whole: copied while it is used, and put at rest so that it can be moved.
package enum SQLiteFile {
    /// What the names of a ledger's files end with: the file, the write-ahead log, its index.
    package static let suffixes = ["", "-wal", "-shm"]

    /// Makes a ledger where there is no file, whole at once: a start that is cut off leaves nothing
    /// that could be taken for one.
    ///
    /// - Returns: whether it was made; else there was a file already.
    static func make(_ path: String, _ ledger: LedgerID, now: Instant) throws -> Bool {
        guard !exists(path) else { return false }
        // SQLite would take it for the new file's.
        guard hasNoWriteAheadLog(path) else {
            throw StoreError.unavailable(
                reason: "the file is gone, but its write-ahead log is there: put the file back, or "
                    + "move the -wal away")
        }
        let draft = "\(path).making-\(UUID().uuidString)"
        defer {
            for suffix in suffixes { try? FileManager.default.removeItem(atPath: draft + suffix) }
        }
        try fill(draft, ledger, now: now)
        try synchronize(draft)
        // Unlike renaming, a link takes no other file's place. Safe: the paths are needed during
        // the call only.
        guard unsafe link(draft, path) == 0 else {
            if errno == EEXIST { return false }
            throw StoreError.unavailable(
                reason: "the file cannot be made (\(SystemError.last.sentence))")
        }
        try synchronize(URL(fileURLWithPath: path).deletingLastPathComponent().path)
        return true
    }

    private static func fill(_ path: String, _ ledger: LedgerID, now: Instant) throws {
        let connection = try SQLiteConnection(
            path: path, .creating, busyTimeoutMilliseconds: 0)
        try requireWriteAheadLog(connection)
        try SQLiteMigrator(connection).make(ledger, now: now)
    }

    /// Turns the write-ahead log on, without which readers would wait for the writer.
    static func requireWriteAheadLog(_ connection: SQLiteConnection) throws {
        let mode = try connection.prepare("PRAGMA journal_mode = WAL").first { try $0.text(0) }
        guard mode == "wal" else {
            throw StoreError.unavailable(
                reason: "its file system does not allow a write-ahead log (\(mode ?? "none"))")
        }
    }

    static func uri(of path: String) -> String { URL(fileURLWithPath: path).absoluteString }

    package static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path)
    }

    /// Whether everything is in the file itself.
    static func hasNoWriteAheadLog(_ path: String) -> Bool {
        let log = try? FileManager.default.attributesOfItem(atPath: path + "-wal")
        return (log?[.size] as? NSNumber)?.intValue ?? 0 == 0
    }

    static func canMakeFiles(beside path: String) -> Bool {
        FileManager.default.isWritableFile(
            atPath: URL(fileURLWithPath: path).deletingLastPathComponent().path)
    }

    /// Copies the last commit of a ledger into a new file, without what was erased or is free.
    ///
    /// The source may be written to meanwhile. The copy is on the disk when this returns; where it
    /// throws, there is none.
    package static func copy(from source: String, to target: String) throws {
        guard !FileManager.default.fileExists(atPath: target) else {
            throw StoreError.unavailable(reason: "the file for the copy exists already")
        }
        do {
            let connection = try SQLiteConnection(
                path: source, .reading, busyTimeoutMilliseconds: 5_000)
            let quoted = target.replacing("'", with: "''")
            try connection.execute("VACUUM INTO '\(quoted)'")
            try synchronize(target)
        } catch {
            try? FileManager.default.removeItem(atPath: target)
            throw error
        }
    }

    /// Brings everything into the one file, for which nobody may have it open.
    package static func putAtRest(_ path: String) throws {
        let connection = try SQLiteConnection(
            path: path, .writing, busyTimeoutMilliseconds: 2_000)
        let mode = try connection.prepare("PRAGMA journal_mode = DELETE").first { try $0.text(0) }
        guard mode == "delete" else {
            throw StoreError.unavailable(reason: "another process holds the ledger's file")
        }
    }

    /// Moves a file that is at rest, so that it is there after a loss of power too.
    package static func move(_ source: String, to target: String) throws {
        try FileManager.default.moveItem(atPath: source, toPath: target)
        try synchronize(URL(fileURLWithPath: target).deletingLastPathComponent().path)
    }

    private static func synchronize(_ path: String) throws {
        // Safe: the path's bytes are needed during the call only.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw StoreError.unavailable(
                reason: "the file cannot be opened (\(SystemError.last.sentence))")
        }
        defer { close(file) }
        guard fsync(file) == 0 else {
            throw StoreError.unavailable(
                reason: "the file cannot be brought to the disk (\(SystemError.last.sentence))")
        }
    }
}
