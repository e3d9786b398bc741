import ArgumentParser
import LedgerEngine
import LedgerStores
import WalletCore

/// Removes free text for good.
struct EraseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "erase",
        abstract: "Remove descriptions, reasons and metadata for good; the log still proves.",
        discussion: """
            Backups and exports made earlier still have the text: erase it there too, or let them \
            run out.
            """)

    @OptionGroup var location: LedgerLocation

    @Option(help: "A transaction, by its id.")
    var transaction: String?

    @Option(help: "Everything that ever touched a wallet, transfers with others too.")
    var wallet: String?

    @Option(help: "An event of any kind, by its position.")
    var position: Int64?

    func run() async throws {
        let target = try target()
        let database = try location.ledger
        let store = try database.open(.writing)
        do {
            let count = try await Eraser(store: store).erase(target)
            print("\(count) \(count == 1 ? "text is" : "texts are") erased")
            if try await !database.fold(store) {
                print("The service has the file: its write-ahead log keeps the bytes until they")
                print("are overwritten. Stop the service once to make sure.")
            }
        } catch is Eraser.NotFound {
            throw CommandFailure("The ledger has nothing of that name.")
        } catch let error as StoreError {
            throw CommandFailure("The text cannot be erased: \(error.sentence).")
        }
    }

    private func target() throws -> Eraser.Target {
        switch (transaction, wallet, position) {
        case (let text?, nil, nil):
            guard let id = TransactionID(text) else {
                throw CommandFailure("\(text.debugDescription) is not the id of a transaction.")
            }
            return .transaction(id)
        case (nil, let text?, nil):
            guard let id = WalletID(text) else {
                throw CommandFailure("\(text.debugDescription) is not the id of a wallet.")
            }
            return .wallet(id)
        case (nil, nil, let position?): return .position(position)
        case (_, _, _): throw CommandFailure("Give one of --transaction, --wallet and --position.")
        }
    }
}
