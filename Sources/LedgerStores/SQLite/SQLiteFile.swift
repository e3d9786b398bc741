import Foundation
import LedgerEngine

/// A ledger's file as a whole: copied while it is used, and put at rest so that it can be moved.
package enum SQLiteFile {
    /// What the names of a ledger's files end with: the file, the write-ahead log, its index.
    package static let suffixes = ["", "-wal", "-shm"]

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
                path: source, isReadOnly: true, busyTimeoutMilliseconds: 5_000)
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
            path: path, isReadOnly: false, busyTimeoutMilliseconds: 2_000)
        let mode = try connection.prepare("PRAGMA journal_mode = DELETE").first { $0.text(0) }
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
            throw StoreError.unavailable(reason: "the file cannot be opened (\(errno))")
        }
        defer { close(file) }
        guard fsync(file) == 0 else {
            throw StoreError.unavailable(
                reason: "the file cannot be brought to the disk (\(errno))")
        }
    }
}
