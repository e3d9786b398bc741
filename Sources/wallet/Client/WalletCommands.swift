import ArgumentParser
import WalletClient

/// Opens a wallet.
struct CreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Open a wallet for a user.")

    @Option(help: "Whose it is, 1 to 128 characters.")
    var user: String

    @Option(help: "ISO 4217, such as USD; a wallet has one currency for good.")
    var currency: String

    @Option(help: "Your own pair, name=value; repeatable.")
    var metadata: [Pair] = []

    @Option(help: "Happens once, however often it is sent with this key; else a fresh one.")
    var idempotencyKey: TypedKey?

    @OptionGroup var connection: ClientOptions

    func run() async throws {
        let metadata = try metadata.dictionary()
        try await connection.run { client, printer in
            let opened = try await client.openWallet(
                userID: user, currency: currency, metadata: metadata,
                idempotencyKey: idempotencyKey?.key)
            try printer.show(opened.value) { opened.value.text }
        }
    }
}

/// Shows a wallet.
struct ShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a wallet.")

    @Argument(help: "The wallet's id.")
    var wallet: String

    @OptionGroup var connection: ClientOptions

    func run() async throws {
        try await connection.run { client, printer in
            let wallet = try await client.wallet(wallet)
            try printer.show(wallet) { wallet.text }
        }
    }
}

/// Lists a user's wallets.
struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List a user's wallets, oldest first.")

    @Argument(help: "The user.")
    var user: String

    @OptionGroup var list: ListOptions
    @OptionGroup var connection: ClientOptions

    func run() async throws {
        try await connection.run { client, printer in
            try printer.note(WalletClient.Wallet.listHeader)
            try await list.each(of: client.wallets(ofUser: user, pageSize: list.pageSize)) {
                wallet in
                try printer.show(wallet) { wallet.line }
            }
        }
    }
}

/// Shows a balance, of now or of then.
struct BalanceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "balance", abstract: "Show what a wallet holds, or held at an instant.")

    @Argument(help: "The wallet's id.")
    var wallet: String

    @Option(help: "As of when: 2026-01-31T23:59:59Z, or a day, which means its first instant.")
    var at: TypedInstant?

    @OptionGroup var connection: ClientOptions

    func run() async throws {
        try await connection.run { client, printer in
            let balance = try await client.balance(of: wallet, at: at?.timestamp)
            try printer.show(balance) { balance.text }
        }
    }
}

/// Freezes a wallet.
struct FreezeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "freeze", abstract: "Let no money out of a wallet any more.")

    @OptionGroup var change: StatusChange

    func run() async throws {
        try await change.run { client, wallet, reason, options in
            try await client.freeze(wallet, reason: reason, options: options)
        }
    }
}

/// Ends a freeze.
struct UnfreezeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unfreeze", abstract: "Let money out of a frozen wallet again.")

    @OptionGroup var change: StatusChange

    func run() async throws {
        try await change.run { client, wallet, reason, options in
            try await client.unfreeze(wallet, reason: reason, options: options)
        }
    }
}

/// Closes a wallet.
struct CloseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "close", abstract: "Close an empty wallet for good.")

    @OptionGroup var change: StatusChange

    func run() async throws {
        try await change.run { client, wallet, reason, options in
            try await client.close(wallet, reason: reason, options: options)
        }
    }
}

/// What freezing, unfreezing and closing have in common.
struct StatusChange: ParsableArguments {
    @Argument(help: "The wallet's id.")
    var wallet: String

    @Option(help: "Why, in your own words.")
    var reason: String?

    @OptionGroup var write: WriteOptions
    @OptionGroup var connection: ClientOptions

    typealias Change = (
        WalletClient, String, String?, WalletClient.Options
    ) async throws -> WalletClient.Receipt<WalletClient.Wallet>

    func run(_ change: Change) async throws {
        let options = write.options
        try await connection.run { client, printer in
            let changed = try await change(client, wallet, reason, options)
            try printer.show(changed.value) { changed.value.text }
        }
    }
}
