import ArgumentParser
import LedgerEngine
import LedgerStores

/// The option that says which ledger a command is about.
struct LedgerLocation: ParsableArguments {
    @Option(help: "Where the ledger lies: sqlite:PATH (sqlite:data/ledger.sqlite).")
    var database: String?

    /// The ledger, by the command line or the environment.
    var ledger: Database {
        get throws {
            let settings = Settings(commandLine: ["database": database])
            return try Database(settings.text("database", default: Database.defaultURL))
        }
    }

    func open(_ access: SQLiteLedgerStore.Access) throws -> any LedgerStore {
        try ledger.open(access)
    }
}
