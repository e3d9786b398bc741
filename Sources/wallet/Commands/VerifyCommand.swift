import ArgumentParser
import Foundation
import LedgerEngine
import Synchronization
import WalletCore

/// Proves a ledger from its log alone; writers may go on meanwhile.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Prove the log's chain, every posting and balance, and every table built from it."
    )

    @Option(help: "Where the ledger lies: sqlite:PATH.")
    var database: String?

    func run() async throws {
        let settings = Settings(commandLine: ["database": database])
        let store = try Database(settings.text("database", default: Database.defaultURL))
            .open(mayCreate: false)
        let bar = ProgressBar()
        do {
            let summary = try await Verifier(store: store).verify { position, last in
                bar.show(position, of: last)
            }
            bar.finish()
            print("The ledger is sound.")
            print("  ledger    \(summary.head.ledger)")
            print("  head      position \(summary.head.position), epoch \(summary.head.epoch)")
            print("  hash      \(summary.head.hash)")
            print("  wallets   \(summary.wallets), entries \(summary.entries)")
            for (currency, sum) in summary.external.sorted(by: { $0.key < $1.key }) {
                print("  \(currency.code)       \(-sum) minor units in wallets, sum with outside 0")
            }
        } catch let fault as Verifier.Fault {
            bar.finish()
            let place = fault.position.map { "position \($0): " } ?? ""
            print("The ledger is NOT sound: \(place)\(fault.reason)")
            print("Stop writing to it, keep a copy, and restore from a backup before this place.")
            throw ExitCode(1)
        } catch let error as StoreError {
            bar.finish()
            print("The ledger is NOT sound: \(error.sentence)")
            throw ExitCode(1)
        }
    }
}

/// A line on standard error that says how far the work is; silent where nobody watches.
private final class ProgressBar: Sendable {
    private let isShown = isatty(STDERR_FILENO) == 1
    private let lastPercent = Mutex<Int64>(-1)

    func show(_ done: Int64, of all: Int64) {
        guard isShown, all > 0 else { return }
        let percent = done * 100 / all
        let isNew = lastPercent.withLock { last in
            defer { last = percent }
            return last != percent
        }
        guard isNew else { return }
        let filled = Int(percent) * 30 / 100
        let bar = String(repeating: "█", count: filled) + String(repeating: "·", count: 30 - filled)
        FileHandle.standardError.write(Data("\r\(bar) \(percent) %  \(done) of \(all)".utf8))
    }

    func finish() {
        guard isShown else { return }
        FileHandle.standardError.write(Data("\n".utf8))
    }
}
