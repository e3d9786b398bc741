import ArgumentParser
import LedgerEngine
import LedgerStores
import WalletCore

/// Manages API keys in the ledger's own database; a running service sees changes within seconds.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Create, list and revoke API keys.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key. Its secret is shown once, and kept nowhere.")

        @OptionGroup var location: LedgerLocation

        @Option(help: "The caller's name; keys that replace one another share it.")
        var principal: String

        @Option(help: "What the key may do: any of read, write, admin, with commas between.")
        var scopes = "read,write"

        @Flag(help: "Make the ledger if there is no file.")
        var create = false

        func run() async throws {
            guard APIKey.isPrincipal(principal) else {
                throw CommandFailure("--principal must have 1 to 128 characters and no spaces.")
            }
            guard let scopes = Scopes(names: scopes.split(separator: ",")) else {
                throw CommandFailure("--scopes must be any of read, write, admin, with commas.")
            }
            let (key, secret) = APIKey.make(principal: principal, scopes: scopes)
            try await location.open(create ? .creating : .writing).write { try $0.insert(key) }
            print("id      \(key.id)")
            print("secret  \(secret)")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List keys, oldest first.")

        @OptionGroup var location: LedgerLocation

        func run() async throws {
            for key in try await location.open(.reading).read({ try $0.apiKeys() }) {
                let scopes = key.scopes.names.joined(separator: ",")
                let revoked = key.revokedAt.map { "  revoked \($0.rfc3339)" } ?? ""
                print("\(key.id)  \(key.principal)  \(scopes)  \(key.createdAt.rfc3339)\(revoked)")
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revoke a key for good.")

        @OptionGroup var location: LedgerLocation

        @Argument(help: "The key's id, as `wallet keys list` shows it.")
        var id: String

        func run() async throws {
            let wasRevoked = try await location.open(.writing).write { [id] transaction in
                try transaction.revokeAPIKey(id: id, at: try transaction.now())
            }
            guard wasRevoked else {
                throw CommandFailure("There is no open key \(id); `wallet keys list` shows them.")
            }
            print("\(id) is revoked")
        }
    }
}
