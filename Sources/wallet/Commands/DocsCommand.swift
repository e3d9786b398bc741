import ArgumentParser
import LedgerEngine
import Logging
import WalletAPI
import WalletCore

/// Prints what the documents are made from and held to.
struct DocsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "docs", abstract: "Print what the documents are made from.",
        shouldDisplay: false, subcommands: [Errors.self, Routes.self])

    struct Errors: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print every error answer with its cause and remedy: docs/errors.md.")

        func run() { StandardOutput.write(ErrorRegistry.markdown) }
    }

    struct Routes: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print every route: method, path, and the scope that it takes of whom.")

        func run() {
            for route in routes {
                let scope = route.scope?.names.joined(separator: ",") ?? "open"
                let callers = route.scope.map { _ in
                    route.users == .forbidden ? " apiKey" : " apiKey userToken"
                }
                print("\(route.method) \(route.template) \(scope)\(callers ?? "")")
            }
        }

        /// The routes of the service, whatever its ledger and settings are.
        private var routes: [Route] {
            let store = InMemoryLedgerStore(ledger: LedgerID(high: 0, low: 0), now: SystemClock.now)
            let sequencer = Sequencer(store: store, entropy: SystemEntropy.next)
            return WalletServer.responder(
                store: store, sequencer: sequencer,
                queries: Queries(store: store, now: SystemClock.now), readiness: Readiness(),
                entropy: SystemEntropy.next,
                logger: Logger(label: "docs") { _ in SwiftLogNoOpLogHandler() }
            ).routes
        }
    }
}
