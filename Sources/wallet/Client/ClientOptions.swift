import ArgumentParser
import Foundation
import WalletClient

/// Where the service is, and how its answers are shown: the options of every client command.
struct ClientOptions: ParsableArguments {
    /// Where a service runs that was started on this machine without options.
    static let defaultURL = "http://127.0.0.1:8080"

    @Option(help: "Where the service is (WALLET_URL, else \(defaultURL)).")
    var url: String?

    @Option(help: "API key; better in WALLET_API_KEY: options show in the process list.")
    var key: String?

    @Flag(help: "JSON with amounts in minor units; lists have one item a line.")
    var json = false

    /// Connects and works; a failure becomes a sentence and an exit code.
    func run(_ work: (WalletClient, Printer) async throws -> Void) async throws {
        let settings = Settings(commandLine: ["url": url])
        let printer = Printer(isJSON: json)
        if key != nil {
            StandardError.write(
                "The API key shows in the process list; WALLET_API_KEY does not.\n")
        }
        do {
            let client = try WalletClient(
                url: settings.text("url", default: ClientOptions.defaultURL),
                token: key ?? settings.secret("apiKey"))
            try await work(client, printer)
        } catch let error as WalletError {
            printer.failure(error)
            throw error.exitCode
        } catch is Printer.NobodyReads {
            // As with `wallet history … | head`: enough was read.
        }
    }
}

extension WalletError {
    /// 1: refused, 2: the call cannot be sent as it is, 3: no certain answer.
    fileprivate var exitCode: ExitCode {
        switch kind {
        case .refused: ExitCode(1)
        case .invalidRequest: ExitCode(2)
        case .unavailable, .transport, .cancelled: ExitCode(3)
        }
    }
}

/// The options of every write.
struct WriteOptions: ParsableArguments {
    @Option(help: "Happens once, however often it is sent with this key; else a fresh one.")
    var idempotencyKey: TypedKey?

    @Option(help: "Only if the wallet still has this version.")
    var ifVersion: Int64?

    var options: WalletClient.Options {
        WalletClient.Options(ifVersion: ifVersion, idempotencyKey: idempotencyKey?.key)
    }
}

/// An idempotency key as it is typed: 1 to 255 visible ASCII characters.
struct TypedKey: ExpressibleByArgument {
    var key: IdempotencyKey

    init?(argument: String) {
        guard let key = IdempotencyKey(rawValue: argument) else { return nil }
        self.key = key
    }
}

/// The options of movements and holds.
struct MovementOptions: ParsableArguments {
    @Option(help: "The currency, if the wallet is not to be asked; must be the wallet's.")
    var currency: String?

    @Option(help: "Your identifier of the business at hand, unique for the debited wallet.")
    var reference: String?

    @Option(help: "Your own words.")
    var description: String?

    @Option(help: "Your own pair, name=value; repeatable.")
    var metadata: [Pair] = []

    @OptionGroup var write: WriteOptions

    func options() throws -> WalletClient.Options {
        var options = write.options
        options.reference = reference
        options.description = description
        options.metadata = try metadata.dictionary()
        return options
    }

    /// An amount in the major units of the currency, which the wallet is asked for if it has not
    /// been said.
    func money(
        _ amount: String, of wallet: String, _ client: WalletClient
    ) async throws -> Money {
        try MajorUnits.check(amount)
        let code: String
        if let currency { code = currency } else { code = try await client.wallet(wallet).currency }
        return try MajorUnits.money(amount, code)
    }
}

/// A name and a value.
struct Pair: ExpressibleByArgument {
    var name: String
    var value: String

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { return nil }
        name = String(parts[0])
        value = String(parts[1])
    }
}

extension [Pair] {
    func dictionary() throws -> [String: String] {
        let pairs = Dictionary(map { ($0.name, $0.value) }) { first, _ in first }
        guard pairs.count == count else { throw ValidationError("--metadata has a name twice.") }
        return pairs
    }
}

/// An instant as it is typed: RFC 3339, or a day, which stands for its first instant in UTC.
struct TypedInstant: ExpressibleByArgument {
    var timestamp: Timestamp

    init?(argument: String) {
        let isDay = argument.utf8.count == 10
        guard let timestamp = Timestamp(isDay ? argument + "T00:00:00Z" : argument) else {
            return nil
        }
        self.timestamp = timestamp
    }
}

/// How much of a list is wanted.
struct ListOptions: ParsableArguments {
    @Option(help: "How many at most; 0 for all.")
    var limit = 50

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit must be 0 or more.") }
    }

    /// The largest page that is of use.
    var pageSize: Int { limit == 0 ? 200 : min(limit, 200) }

    /// Hands on each item that is wanted.
    func each<Item>(of list: Pages<Item>, _ show: (Item) throws -> Void) async throws {
        var count = 0
        for try await item in list {
            try show(item)
            count += 1
            if count == limit { return }
        }
    }
}
