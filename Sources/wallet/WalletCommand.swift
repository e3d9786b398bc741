import ArgumentParser
import Foundation

/// The program: one binary that serves a ledger, looks after it, measures itself, and is a client
/// of a service that runs elsewhere.
@main
struct WalletCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wallet",
        abstract: "An exact, durable wallet service over one hash-chained log.",
        discussion: """
            The commands on wallets, money and records are a client's: they talk to the service \
            at --url or WALLET_URL with the API key in WALLET_API_KEY. They exit with 0 when it is \
            done, 1 when it was refused, 2 when the command cannot be understood, and 3 when there \
            was no certain answer.
            """,
        subcommands: [
            ServeCommand.self, VerifyCommand.self, KeysCommand.self, BenchCommand.self,
            ExportCommand.self, ImportCommand.self, RebuildCommand.self, BackupCommand.self,
            RestoreCommand.self, EraseCommand.self, AnchorCommand.self, DocsCommand.self,
        ],
        groupedSubcommands: [
            CommandGroup(
                name: "Wallet",
                subcommands: [
                    CreateCommand.self, ShowCommand.self, ListCommand.self, BalanceCommand.self,
                    FreezeCommand.self, UnfreezeCommand.self, CloseCommand.self,
                ]),
            CommandGroup(
                name: "Money",
                subcommands: [
                    DepositCommand.self, WithdrawCommand.self, TransferCommand.self,
                    HoldCommand.self, ReverseCommand.self, TransactionCommand.self,
                    OutcomeCommand.self,
                ]),
            CommandGroup(
                name: "Record",
                subcommands: [HistoryCommand.self, StatementCommand.self, EventsCommand.self]),
        ])

    /// What a command that cannot be understood exits with.
    private static let usageExitCode: Int32 = 2

    static func main() async {
        // Whatever the program makes is for its own user: ledgers, copies, exports, keys.
        umask(0o077)
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as ValidationError {
            // Found while it ran, where the usage of a command would explain nothing.
            StandardError.write("Error: \(error.message)\n")
            Foundation.exit(usageExitCode)
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            StandardError.write(fullMessage(for: error) + "\n")
            Foundation.exit(usageExitCode)
        }
    }
}

/// A failure in one sentence that says what to do next.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String
    /// Whether the ledger could not be reached, so that nothing is known of it.
    var isUnavailable: Bool

    init(_ description: String, isUnavailable: Bool = false) {
        self.description = description
        self.isUnavailable = isUnavailable
    }
}
