import ArgumentParser
import WalletClient

/// Brings money in.
struct DepositCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deposit", abstract: "Bring money from outside into a wallet.")

    @Argument(help: "The wallet's id.")
    var wallet: String

    @Argument(help: "The amount in major units, such as 10.50; never rounded.")
    var amount: String

    @OptionGroup var movement: MovementOptions
    @OptionGroup var connection: ClientOptions

    func run() async throws {
        let options = try movement.options()
        try await connection.run { client, printer in
            let money = try await movement.money(amount, of: wallet, client)
            let moved = try await client.deposit(money, into: wallet, options: options)
            try printer.show(moved.value) { moved.value.text }
        }
    }
}

/// Takes money out.
struct WithdrawCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "withdraw", abstract: "Take money out of a wallet.")

    @Argument(help: "The wallet's id.")
    var wallet: String

    @Argument(help: "The amount in major units, such as 10.50; never rounded.")
    var amount: String

    @OptionGroup var movement: MovementOptions
    @OptionGroup var connection: ClientOptions

    func run() async throws {
        let options = try movement.options()
        try await connection.run { client, printer in
            let money = try await movement.money(amount, of: wallet, client)
            let moved = try await client.withdraw(money, from: wallet, options: options)
            try printer.show(moved.value) { moved.value.text }
        }
    }
}

/// Moves money between wallets.
struct TransferCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transfer", abstract: "Move money from one wallet to another.")

    @Argument(help: "The id of the wallet that pays.")
    var from: String

    @Argument(help: "The id of the wallet that is paid.")
    var to: String

    @Argument(help: "The amount in major units, such as 10.50; never rounded.")
    var amount: String

    @OptionGroup var movement: MovementOptions
    @OptionGroup var connection: ClientOptions

    func run() async throws {
        let options = try movement.options()
        try await connection.run { client, printer in
            let money = try await movement.money(amount, of: from, client)
            let moved = try await client.transfer(money, from: from, to: to, options: options)
            try printer.show(moved.value) { moved.value.text }
        }
    }
}

/// Undoes a transaction.
struct ReverseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reverse", abstract: "Undo a transaction, in parts or all that is left.")

    @Argument(help: "The transaction's id.")
    var transaction: String

    @Argument(help: "How much of it in major units; all that is left if not said.")
    var amount: String?

    @Option(help: "Your own words.")
    var description: String?

    @OptionGroup var write: WriteOptions
    @OptionGroup var connection: ClientOptions

    func run() async throws {
        var options = write.options
        options.description = description
        try await connection.run { [options] client, printer in
            var minorUnits: Int64?
            if let amount {
                try MajorUnits.check(amount)
                let original = try await client.transaction(transaction)
                minorUnits = try MajorUnits.money(amount, original.currency).minorUnits
            }
            let moved = try await client.reverse(
                transaction, minorUnits: minorUnits, options: options)
            try printer.show(moved.value) { moved.value.text }
        }
    }
}

/// Shows a transaction.
struct TransactionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transaction", abstract: "Show a transaction.")

    @Argument(help: "The transaction's id.")
    var transaction: String

    @OptionGroup var connection: ClientOptions

    func run() async throws {
        try await connection.run { client, printer in
            let transaction = try await client.transaction(transaction)
            try printer.show(transaction) { transaction.text }
        }
    }
}

/// Shows what became of a write.
struct OutcomeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outcome", abstract: "Show what became of a write, by its idempotency key.",
        discussion: "Exit code 0: it happened. 1: it was refused, or the key is not known.")

    @Argument(help: "The idempotency key.")
    var idempotencyKey: TypedKey

    @OptionGroup var connection: ClientOptions

    func run() async throws {
        try await connection.run { client, printer in
            switch try await client.outcome(of: idempotencyKey.key) {
            case .done(let answer):
                try printer.show(answer) {
                    "It happened: \((answer["id"]?.string ?? "").printable)"
                }
            case .refused(let error):
                throw error
            case .unknown:
                StandardError.write("Nothing has happened under this key.\n")
                throw ExitCode(1)
            }
        }
    }
}
