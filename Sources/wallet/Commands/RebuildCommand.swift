import ArgumentParser
import LedgerEngine
import LedgerStores

/// Makes every table that follows from the log anew.
struct RebuildCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild",
        abstract: "Make wallets, entries, holds, keys, references and sums anew from the log.",
        discussion: """
            One transaction: until it is done everything is as it was. A service that runs \
            meanwhile answers reads, and writes with 503; stop it for a rebuild that takes long.
            """)

    @OptionGroup var location: LedgerLocation

    func run() async throws {
        let bar = ProgressBar()
        defer { bar.finish() }
        let database = try location.ledger
        let store = try database.open(.writing)
        do {
            let head = try await Rebuilder(store: store).rebuild { bar.show($0, of: $1) }
            bar.finish()
            _ = try await database.fold(store)
            print("Every table is rebuilt up to position \(head.position), hash \(head.hash).")
        } catch let fault as Verifier.Fault {
            let place = fault.position.map { "position \($0): " } ?? ""
            throw CommandFailure(
                "The log is not sound: \(place)\(fault.reason). Nothing was changed.")
        } catch let error as StoreError {
            throw CommandFailure("Nothing was changed: \(error.sentence).")
        }
    }
}
