import ArgumentParser
import Foundation

/// Measures a service from outside, and checks that no money was made or lost meanwhile.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Load a running service, or one of its own, and measure it.",
        discussion: """
            Ends with exit code 1 if the wallets do not hold exactly what was acknowledged.
            """)

    @OptionGroup var options: BenchOptions

    @Argument(parsing: .allUnrecognized, help: "With --self: options of `wallet serve`.")
    var serveOptions: [String] = []

    func validate() throws {
        guard options.ownServer || options.scenario == .compare || serveOptions.isEmpty else {
            throw ValidationError(
                "\(serveOptions[0].debugDescription) is no option of bench. Options of the service "
                    + "can be given with --self.")
        }
    }

    func run() async throws {
        try await Interruption.guarded { [options, serveOptions] in
            switch options.scenario {
            case .load:
                try await LoadScenario(options: options, serveOptions: serveOptions).run()
            case .history:
                try await HistoryScenario(options: options, serveOptions: serveOptions).run()
            case .compare:
                try await CompareScenario(options: options, serveOptions: serveOptions).run()
            }
        }
    }
}

extension BenchOptions {
    /// Lends out the service that the options mean, and says how its ledger verified if it is ours.
    func withTarget<Result>(
        serveOptions: [String], _ body: (Target) async throws -> Result
    ) async throws -> (result: Result, verification: String?) {
        guard ownServer || scenario == .compare else {
            guard let key = key ?? Settings(commandLine: [:]).secret("benchKey") else {
                throw CommandFailure("Give an API key by --key or WALLET_BENCH_KEY, or --self.")
            }
            return (try await body(Target(url: url, key: key, process: pid)), nil)
        }
        return try await ServerProcess.run(options: serveOptions) { server in
            try await body(
                Target(url: server.url, key: server.key, process: server.identifier))
        }
    }

    /// Prints the table, and the JSON where it is wanted.
    func publish(_ lines: [String], _ report: some Encodable) throws {
        let text = lines.joined(separator: "\n") + "\n"
        guard let json else { return StandardOutput.write(text) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(report) + Data("\n".utf8)
        if json == "-" {
            StandardError.write(text)
            FileHandle.standardOutput.write(data)
        } else {
            StandardOutput.write(text)
            do {
                try data.write(to: URL(fileURLWithPath: json))
            } catch {
                throw CommandFailure("The results cannot be written to \(json).")
            }
        }
    }
}
