import ArgumentParser
import Foundation
import LedgerEngine
import LedgerStores
import WalletCore

/// Fills an empty ledger from standard input.
struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Fill an empty ledger from an export, and prove every line on the way.",
        discussion: """
            The first line that is wrong stops it and leaves the ledger empty. After a loss of \
            power the ledger cannot be used until the import is run again, which begins anew.
            """)

    /// 128 MiB of the write-ahead log: an import touches the same pages again and again, so each
    /// copy into the file is put off for as long as it pays.
    private static let checkpointPages = 32_768

    @OptionGroup var location: LedgerLocation

    func run() async throws {
        let database = try location.ledger
        let lock = try database.lock(mayCreate: true)
        defer { withExtendedLifetime(lock) {} }
        let store = try database.open(.creating) { configuration in
            configuration.opensUnfinishedImport = true
            configuration.checkpointPages = ImportCommand.checkpointPages
        }
        let importer = Importer(
            into: store,
            emptyLedger: LedgerID(
                recordedAt: SystemClock.now(), position: 0, entropy: SystemEntropy.next()))
        let bar = ProgressBar()
        defer { bar.finish() }
        let lines = LineReader(.standardInput, maximumLine: Importer.maximumLine)
        do {
            let head = try await importer.run(progress: { bar.show($0, of: $1) }) {
                try lines.next()
            }
            bar.finish()
            try await store.foldWriteAheadLog()
            print("The ledger is imported.")
            print("  ledger    \(head.ledger)")
            print("  head      position \(head.position), epoch \(head.epoch)")
            print("  hash      \(head.hash)")
        } catch let fault as Importer.Fault {
            throw CommandFailure(
                "Line \(fault.line): \(fault.reason). Nothing was imported; the ledger is empty.")
        } catch let obstacle as Importer.Obstacle {
            throw CommandFailure(obstacle.sentence(database.path))
        } catch let error as StoreError {
            throw CommandFailure(
                "The import is not finished: \(error.sentence). Run it again; it begins anew.")
        }
    }
}

extension Importer.Obstacle {
    fileprivate func sentence(_ path: String) -> String {
        switch self {
        case .notEmpty:
            "The ledger at \(path) is not empty, and an import would mix two ledgers: "
                + "give --database a new file."
        case .displaced: "Another import into \(path) has begun anew; this one has ended."
        }
    }
}

/// Reads a file line by line, in memory that does not depend on its length.
final class LineReader {
    private let file: FileHandle
    private let maximumLine: Int
    private var buffer: [UInt8] = []
    private var offset = 0
    private var isAtEnd = false
    private var line: Int64 = 0

    init(_ file: FileHandle, maximumLine: Int) {
        self.file = file
        self.maximumLine = maximumLine
    }

    /// The next line without its line feed; `nil` after the last.
    func next() throws -> [UInt8]? {
        var searched = offset
        line += 1
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { offset = end + 1 }
                return Array(buffer[offset..<end])
            }
            guard !isAtEnd else {
                defer { offset = buffer.count }
                return offset < buffer.count ? Array(buffer[offset...]) : nil
            }
            guard buffer.count - offset <= maximumLine else {
                throw CommandFailure("Line \(line) is longer than \(maximumLine) bytes.")
            }
            searched = buffer.count - offset
            buffer.removeSubrange(..<offset)
            offset = 0
            let more = try file.read(upToCount: 1 << 18) ?? Data()
            isAtEnd = more.isEmpty
            buffer.append(contentsOf: more)
        }
    }
}
