import ArgumentParser
import Foundation
import WalletClient

/// Lists what moved a wallet's money.
struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "List what moved a wallet's money, newest first.")

    @Argument(help: "The wallet's id.")
    var wallet: String

    @Option(help: "Only deposit, withdrawal, transfer, capture or reversal.")
    var type: String?

    @Option(help: "Only those with this reference.")
    var reference: String?

    @OptionGroup var period: Period

    @Flag(help: "Oldest first.")
    var oldestFirst = false

    @OptionGroup var list: ListOptions
    @OptionGroup var connection: ClientOptions

    func run() async throws {
        let filter = WalletClient.HistoryFilter(
            type: type.map(WalletClient.Transaction.Kind.init(rawValue:)), reference: reference,
            from: period.from?.timestamp, to: period.to?.timestamp, isOldestFirst: oldestFirst)
        try await connection.run { client, printer in
            try printer.note(WalletClient.Entry.listHeader)
            let history = client.history(of: wallet, filter: filter, pageSize: list.pageSize)
            try await list.each(of: history) { entry in
                try printer.show(entry) { entry.line }
            }
        }
    }
}

/// A period, from its first instant to the first after it.
struct Period: ParsableArguments {
    @Option(help: "From when on: 2026-01-01T00:00:00Z, or a day's first instant.")
    var from: TypedInstant?

    @Option(help: "Until just before: 2026-02-01T00:00:00Z, or a day's first instant.")
    var to: TypedInstant?
}

/// Shows a statement.
struct StatementCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "statement",
        abstract: "Show a wallet's entries in a period, between its opening and closing balance.")

    @Argument(help: "The wallet's id.")
    var wallet: String

    @OptionGroup var period: Period

    @Flag(help: "CSV as the service writes it, of any length.")
    var csv = false

    @OptionGroup var connection: ClientOptions

    func validate() throws {
        guard !csv || !connection.json else { throw ValidationError("--csv or --json, not both.") }
    }

    func run() async throws {
        let (from, to) = (period.from?.timestamp, period.to?.timestamp)
        try await connection.run { client, printer in
            if csv {
                let pieces = try await client.statementCSV(of: wallet, from: from, to: to)
                for try await piece in pieces { try Printer.write(Data(piece)) }
                return
            }
            let statement = try await client.statement(of: wallet, from: from, to: to)
            try printer.show(statement) { statement.text }
        }
    }
}

extension WalletClient.Statement {
    /// What people see of a statement.
    fileprivate var text: String {
        var lines = [
            "\(from)  opening  \(MajorUnits.text(opening.total, currency)) \(currency)",
            WalletClient.Entry.listHeader,
        ]
        lines += entries.map(\.line)
        lines.append("\(to)  closing  \(MajorUnits.text(closing.total, currency)) \(currency)")
        if !self.final { lines.append("Not final: entries may still be recorded in this period.") }
        return lines.joined(separator: "\n")
    }
}

/// The ledger's events.
struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Follow the ledger's events.", subcommands: [Tail.self])

    struct Tail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the ledger's events as they happen, in order and without gaps.",
            discussion: "Needs a key with scope admin. It reconnects by itself; Ctrl-C ends it.")

        @Option(help: "The position after which to begin; 0 for the log's beginning.")
        var after: Int64 = 0

        @Option(help: "How many to show; 0 for no end.")
        var limit = 0

        @OptionGroup var connection: ClientOptions

        func validate() throws {
            guard after >= 0, limit >= 0 else {
                throw ValidationError("--after and --limit must be 0 or more.")
            }
        }

        func run() async throws {
            try await connection.run { client, printer in
                var count = 0
                for try await event in client.events(after: after) {
                    try printer.show(event) { event.line }
                    count += 1
                    if count == limit { return }
                }
            }
        }
    }
}
