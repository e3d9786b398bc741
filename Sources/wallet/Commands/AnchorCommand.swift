import ArgumentParser
import Foundation
import LedgerEngine
import LedgerStores

/// Says where the log is now, for `wallet verify --against` later.
struct AnchorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "anchor",
        abstract: "Print an anchor: where the log is now, to be kept outside its database.",
        discussion: """
            `wallet verify --against` finds out later whether the log was cut off or rewritten. \
            The anchor is signed if WALLET_ANCHOR_KEY or --anchor-key-file has a key.
            """)

    @OptionGroup var location: LedgerLocation

    @Option(help: ArgumentHelp("The key that signs.", valueName: "file"))
    var anchorKeyFile: String?

    @Option(
        help: ArgumentHelp(
            "Make a key, write it to a new file and print its public part.", valueName: "file"))
    var newKey: String?

    func run() async throws {
        if let newKey { return try makeKey(newKey) }
        let settings = Settings(commandLine: ["anchorKeyFile": anchorKeyFile])
        let key = try AnchorKeySetting.read(settings)
        let head = try await location.open(.reading).read { try $0.head() }
        var anchor = Anchor(head, at: SystemClock.now())
        if let key { anchor = try anchor.signed(by: key) }
        print(String(decoding: anchor.line, as: UTF8.self))
    }

    private func makeKey(_ path: String) throws {
        let key = AnchorKey()
        guard !FileManager.default.fileExists(atPath: path),
            FileManager.default.createFile(
                atPath: path, contents: Data("\(key.hex)\n".utf8),
                attributes: [.posixPermissions: 0o600])
        else { throw CommandFailure("\(path) exists already, or cannot be written.") }
        print(key.publicKey.hex)
    }
}
