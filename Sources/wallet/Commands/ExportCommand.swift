import ArgumentParser
import Foundation
import LedgerEngine
import LedgerStores

/// Writes a ledger to standard output, from which another database can be filled.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract:
            "Write the log and what lies beside it as lines of JSON; see docs/export-format.md.",
        discussion: "The service may run meanwhile: the export is one snapshot.")

    @OptionGroup var location: LedgerLocation

    @Option(help: "The first event; only an export from position 1 can be imported.")
    var from: Int64 = 1

    func run() async throws {
        let bar = ProgressBar()
        defer { bar.finish() }
        do {
            _ = try await Exporter(store: try location.open(.reading)).export(
                from: from, progress: { bar.show($0, of: $1) },
                write: { try FileHandle.standardOutput.write(contentsOf: Data($0)) })
        } catch Exporter.Fault.unknownPosition(let position) {
            throw CommandFailure("The log has no position \(position).")
        } catch let fault as LogFault {
            throw CommandFailure(
                "Position \(fault.position) cannot be exported: \(fault.reason). "
                    + "`wallet verify` says more.")
        } catch let error as StoreError {
            throw CommandFailure("The ledger cannot be read: \(error.sentence).")
        }
    }
}
