import ArgumentParser
import LedgerEngine
import LedgerStores
import WalletCore

/// Proves a ledger from its log alone; writers may go on meanwhile.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract:
            "Prove the log's chain, every posting and balance, and every table built from it.",
        discussion: """
            Nothing is written. It exits with 0 where the ledger is sound, 1 where it is not or \
            there is none, and 3 where it could not be read, which says nothing about it.
            """)

    /// What it exits with where the ledger could not be read.
    private static let unreadExitCode = ExitCode(3)

    @OptionGroup var location: LedgerLocation

    @Option(
        help: ArgumentHelp(
            "Anchors that the log must still have, one a line; - for standard input.",
            valueName: "file"))
    var against: String?

    @Option(help: "The key that must have signed every anchor, as `wallet anchor` printed it.")
    var anchorPublicKey: String?

    func run() async throws {
        let anchors = try AnchorFile.read(against, publicKey: anchorPublicKey)
        let store: any LedgerStore
        do {
            store = try location.open(.reading)
        } catch let failure as CommandFailure where failure.isUnavailable {
            StandardError.write("Error: \(failure)\n")
            throw VerifyCommand.unreadExitCode
        }
        let bar = ProgressBar()
        do {
            let summary = try await Verifier(store: store).verify(against: anchors) {
                bar.show($0, of: $1)
            }
            bar.finish()
            print("The ledger is sound.")
            print("  ledger    \(summary.head.ledger)")
            print("  head      position \(summary.head.position), epoch \(summary.head.epoch)")
            print("  hash      \(summary.head.hash)")
            if against != nil { print("  anchors   \(anchors.count), all kept") }
            print("  wallets   \(summary.wallets), entries \(summary.entries)")
            for (currency, sum) in summary.external.sorted(by: { $0.key < $1.key }) {
                let total = "\(sum.magnitude) minor units in wallets"
                print("  \(currency.code)       \(total), sum with outside 0")
            }
        } catch let fault as Verifier.Fault {
            bar.finish()
            let place = fault.position.map { "position \($0): " } ?? ""
            print("The ledger is NOT sound: \(place)\(fault.reason)")
            print("Stop writing to it, keep a copy, and restore from a backup before this place.")
            throw ExitCode(1)
        } catch let error as StoreError where error.isUnavailable {
            bar.finish()
            StandardError.write("Error: The ledger could not be read: \(error.sentence).\n")
            throw VerifyCommand.unreadExitCode
        } catch let error as StoreError {
            bar.finish()
            print("The ledger is NOT sound: \(error.sentence)")
            throw ExitCode(1)
        }
    }
}
