import Foundation
import LedgerStores

/// What a measurement was made on, without which it says little.
struct Machine: Codable {
    var cores: Int
    var processor: String
    var kernel: String
    var sqlite = SQLiteLibrary.version
    var command: String

    init() {
        cores = ProcessInfo.processInfo.activeProcessorCount
        let model = Self.lines(of: "/proc/cpuinfo").first { $0.hasPrefix("model name") }
        processor =
            model?.split(separator: ":").last
            .map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
        kernel = Self.lines(of: "/proc/sys/kernel/osrelease").first.map(String.init) ?? "unknown"
        command = Self.redacted(["wallet"] + CommandLine.arguments.dropFirst())
    }

    /// The command as it was typed, without what gives access.
    private static func redacted(_ arguments: [String]) -> String {
        var previous = ""
        var shown: [String] = []
        for argument in arguments {
            if previous == "--key" || previous == "--database" {
                shown.append("…")
            } else if argument.hasPrefix("--key=") || argument.hasPrefix("--database=") {
                shown.append(argument.prefix { $0 != "=" } + "=…")
            } else {
                shown.append(argument)
            }
            previous = argument
        }
        return shown.joined(separator: " ")
    }

    private static func lines(of file: String) -> [Substring] {
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n")
    }
}
