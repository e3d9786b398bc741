import Configuration

/// Configuration values by name: the command line first, then the environment (`WALLET_…`).
///
/// Each value is read once, at the start, into a type; a bad one stops the start with a sentence
/// that names it.
struct Settings {
    private let reader: ConfigReader

    /// Settings in which what the command line gave has the first word.
    ///
    /// - Parameter commandLine: values by key, `maxBatch`; absent ones are left to the environment.
    init(commandLine: [String: String?]) {
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for case (let key, let value?) in commandLine {
            values[AbsoluteConfigKey(["wallet", key])] = ConfigValue(
                .string(value), isSecret: false)
        }
        reader = ConfigReader(providers: [
            InMemoryProvider(name: "command-line", values: values), EnvironmentVariablesProvider(),
        ]).scoped(to: "wallet")
    }

    func text(_ key: String) -> String? {
        reader.string(forKey: ConfigKey([key]))
    }

    func text(_ key: String, default value: String) -> String { text(key) ?? value }

    /// A secret, which never appears in a message.
    func secret(_ key: String) -> String? {
        reader.string(forKey: ConfigKey([key]), isSecret: true)
    }

    /// What a setting is called where it can be given: `--max-batch (WALLET_MAX_BATCH)`.
    static func names(of key: String) -> String {
        let words = key.reduce(into: "") { words, letter in
            if letter.isUppercase { words.append("-") }
            words.append(letter)
        }
        let variable = words.uppercased().replacing("-", with: "_")
        return "--\(words.lowercased()) (WALLET_\(variable))"
    }

    /// A whole number within a range.
    func integer<Number: FixedWidthInteger>(
        _ key: String, default value: Number, in range: ClosedRange<Number>
    ) throws -> Number {
        guard let text = text(key) else { return value }
        guard let number = Number(text), range.contains(number) else {
            throw CommandFailure(
                "\(Settings.names(of: key)) is \(text.debugDescription); it must be a whole "
                    + "number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }
}
