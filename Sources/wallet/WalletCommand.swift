import ArgumentParser

/// The program: one binary that serves, verifies, manages keys and measures itself.
@main
struct WalletCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wallet",
        abstract: "An exact, durable wallet service over one hash-chained log.",
        subcommands: [
            ServeCommand.self, VerifyCommand.self, KeysCommand.self, BenchCommand.self,
            ExportCommand.self, ImportCommand.self, RebuildCommand.self, BackupCommand.self,
            RestoreCommand.self, EraseCommand.self, AnchorCommand.self,
        ])
}

/// A failure in one sentence that says what to do next.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}
