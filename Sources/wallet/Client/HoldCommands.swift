import ArgumentParser
import WalletClient

/// Holds: money set aside in a wallet.
struct HoldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold",
        abstract: "Set money aside, then take it or make it available again.",
        subcommands: [Place.self, Capture.self, Release.self, Show.self, List.self])

    struct Place: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Set money aside in a wallet.")

        @Argument(help: "The wallet's id.")
        var wallet: String

        @Argument(help: "The amount in major units, such as 10.50; never rounded.")
        var amount: String

        @Option(help: "When it ends by itself: 2026-01-31T23:59:59Z, or a day's first instant.")
        var expiresAt: TypedInstant?

        @OptionGroup var movement: MovementOptions
        @OptionGroup var connection: ClientOptions

        func run() async throws {
            let options = try movement.options()
            try await connection.run { client, printer in
                let money = try await movement.money(amount, of: wallet, client)
                let placed = try await client.placeHold(
                    money, in: wallet, expiresAt: expiresAt?.timestamp, options: options)
                try printer.show(placed.value) { placed.value.text }
            }
        }
    }

    struct Capture: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take held money; the rest is available again.")

        @Argument(help: "The hold's id.")
        var hold: String

        @Argument(help: "How much of it in major units; all of it if not said.")
        var amount: String?

        @Option(help: "The id of the wallet that gets it; without, it leaves the ledger.")
        var to: String?

        @OptionGroup var write: WriteOptions
        @OptionGroup var connection: ClientOptions

        func run() async throws {
            let options = write.options
            try await connection.run { client, printer in
                var minorUnits: Int64?
                if let amount {
                    try MajorUnits.check(amount)
                    let currency = try await client.hold(hold).currency
                    minorUnits = try MajorUnits.money(amount, currency).minorUnits
                }
                let moved = try await client.capture(
                    hold, minorUnits: minorUnits, to: to, options: options)
                try printer.show(moved.value) { moved.value.text }
            }
        }
    }

    struct Release: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make all of a hold's money available again.")

        @Argument(help: "The hold's id.")
        var hold: String

        @OptionGroup var write: WriteOptions
        @OptionGroup var connection: ClientOptions

        func run() async throws {
            let options = write.options
            try await connection.run { client, printer in
                let released = try await client.release(hold, options: options)
                try printer.show(released.value) { released.value.text }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a hold.")

        @Argument(help: "The hold's id.")
        var hold: String

        @OptionGroup var connection: ClientOptions

        func run() async throws {
            try await connection.run { client, printer in
                let hold = try await client.hold(hold)
                try printer.show(hold) { hold.text }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List a wallet's holds.")

        @Argument(help: "The wallet's id.")
        var wallet: String

        @Option(help: "Only those that are open, captured, released or expired.")
        var status: String?

        @OptionGroup var list: ListOptions
        @OptionGroup var connection: ClientOptions

        func run() async throws {
            try await connection.run { client, printer in
                try printer.note(WalletClient.Hold.listHeader)
                let holds = client.holds(
                    of: wallet, status: status.map(WalletClient.Hold.Status.init(rawValue:)),
                    pageSize: list.pageSize)
                try await list.each(of: holds) { hold in
                    try printer.show(hold) { hold.line }
                }
            }
        }
    }
}
