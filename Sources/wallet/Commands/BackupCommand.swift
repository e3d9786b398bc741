import ArgumentParser
import Foundation
import LedgerEngine
import LedgerStores
import WalletCore

/// Copies an embedded ledger while it is used.
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the embedded ledger into a file while the service runs.")

    @OptionGroup var location: LedgerLocation

    @Option(help: ArgumentHelp("The file for the copy; it must not exist.", valueName: "file"))
    var to: String

    func run() async throws {
        let database = try location.ledger
        // Opening it checks that it is a whole ledger of this program's.
        let before = try await database.open(.reading).read { try $0.head() }
        do {
            try SQLiteFile.copy(from: database.path, to: to)
            let head = try await check(since: before)
            print("The ledger is copied to \(to).")
            print("  head      position \(head.position), epoch \(head.epoch)")
            print("  hash      \(head.hash)")
        } catch let error as StoreError {
            throw CommandFailure("No copy was made: \(error.sentence).")
        }
    }

    /// The head of the copy, which goes where it is not a whole ledger of at least that time.
    private func check(since before: Head) async throws -> Head {
        do {
            let head = try await Database("sqlite:\(to)").checkedHead()
            try SQLiteFile.putAtRest(to)
            guard head.position >= before.position else {
                throw StoreError.corrupted(reason: "it lacks what was there when it was begun")
            }
            return head
        } catch {
            for suffix in SQLiteFile.suffixes {
                try? FileManager.default.removeItem(atPath: to + suffix)
            }
            throw error
        }
    }
}

/// Puts a copy in the place of an embedded ledger.
struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Prove a backup and make it the embedded ledger, on a new timeline.",
        discussion: """
            Stop the service first. Tokens and cursors of what came after the backup are answered \
            409 TOKEN_UNKNOWN from then on.
            """)

    @OptionGroup var location: LedgerLocation

    @Option(name: .customLong("from"), help: ArgumentHelp("The backup.", valueName: "file"))
    var backup: String

    @Flag(help: "Move a ledger that is there aside; otherwise it is in the way.")
    var force = false

    func run() async throws {
        let path = try location.ledger.path
        let files = FileManager.default
        guard files.fileExists(atPath: backup) else {
            throw CommandFailure("There is no backup at \(backup).")
        }
        guard force || !files.fileExists(atPath: path) else {
            throw CommandFailure(
                "There is a ledger at \(path); --force moves it aside, and loses nothing of it.")
        }
        // Whose write-ahead log it is cannot be told, and it would be taken for the restored one's.
        guard files.fileExists(atPath: path) || !files.fileExists(atPath: path + "-wal") else {
            throw CommandFailure(
                "\(path)-wal is left of another ledger; move it away, with all that was beside it.")
        }
        let draft = "\(path).restoring-\(SystemClock.now().microseconds)"
        defer {
            for suffix in SQLiteFile.suffixes { try? files.removeItem(atPath: draft + suffix) }
        }
        do {
            try files.createDirectory(
                at: URL(fileURLWithPath: path).deletingLastPathComponent(),
                withIntermediateDirectories: true)
            try SQLiteFile.copy(from: backup, to: draft)
            let head = try await Database("sqlite:\(draft)").beginProvenEpoch()
            try SQLiteFile.putAtRest(draft)
            if files.fileExists(atPath: path) {
                try SQLiteFile.putAtRest(path)
                let aside = "\(path).replaced-\(head.epoch)"
                try SQLiteFile.move(path, to: aside)
                print("The ledger that was there is \(aside) now.")
            }
            try SQLiteFile.move(draft, to: path)
            print("The ledger is restored.")
            print("  head      position \(head.position), epoch \(head.epoch)")
            print("  hash      \(head.hash)")
        } catch let fault as Verifier.Fault {
            let place = fault.position.map { "position \($0): " } ?? ""
            throw CommandFailure(
                "The backup is not sound: \(place)\(fault.reason). Nothing was restored.")
        } catch let error as StoreError {
            throw CommandFailure(
                "Nothing was restored: \(error.sentence). Is the service still running?")
        }
    }
}

extension Database {
    /// The head of a ledger whose last event is the one that the head names.
    fileprivate func checkedHead() async throws -> Head {
        try await open(.reading).read { snapshot in
            let head = try snapshot.head()
            guard head.position > 0 else { return head }
            guard try snapshot.records(at: [head.position])[head.position]?.hash == head.hash else {
                throw StoreError.corrupted(reason: "the head is not the end of the log")
            }
            return head
        }
    }

    /// Proves the whole ledger, and begins a new timeline in it.
    fileprivate func beginProvenEpoch() async throws -> Head {
        let store = try open(.writing)
        let bar = ProgressBar()
        defer { bar.finish() }
        _ = try await Verifier(store: store).verify { bar.show($0, of: $1) }
        return try await store.write { try $0.beginEpoch() }
    }
}
