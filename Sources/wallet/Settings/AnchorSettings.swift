import Foundation
import LedgerEngine

/// The key that signs anchors: `WALLET_ANCHOR_KEY`, or a file that has it.
enum AnchorKeySetting {
    static func read(_ settings: Settings) throws -> AnchorKey? {
        if let secret = settings.secret("anchorKey") {
            guard let key = AnchorKey(hex: secret) else {
                throw CommandFailure("WALLET_ANCHOR_KEY must be 64 lower-case hexadecimal digits.")
            }
            return key
        }
        guard let path = settings.text("anchorKeyFile") else { return nil }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8),
            let key = AnchorKey(hex: text.trimmingCharacters(in: .whitespacesAndNewlines))
        else {
            throw CommandFailure(
                "\(path) is not an anchor key; `wallet anchor --new-key \(path)` makes one.")
        }
        return key
    }
}

/// Anchors that were published, one a line.
enum AnchorFile {
    /// How many are compared at most: one a minute for nearly two years.
    private static let maximumAnchors = 1_000_000
    /// Bytes of a line at most.
    private static let maximumLine = 4_096

    /// Reads anchors and checks their signatures. Lines that are no anchors, such as one torn by a
    /// crash while it was written, are skipped with a warning.
    ///
    /// - Parameters:
    ///   - path: the file, `-` for standard input; none gives none.
    ///   - publicKey: who must have signed all of them, in hexadecimal.
    static func read(_ path: String?, publicKey: String?) throws -> [Anchor] {
        let key = try publicKey.map { text in
            guard let key = [UInt8](hex: text), key.count == 32 else {
                throw CommandFailure("--anchor-public-key must be 64 hexadecimal digits.")
            }
            return key
        }
        guard let path else {
            guard key == nil else {
                throw CommandFailure("--anchor-public-key goes with --against.")
            }
            return []
        }
        guard let file = path == "-" ? .standardInput : FileHandle(forReadingAtPath: path) else {
            throw CommandFailure("\(path) cannot be read.")
        }
        let lines = LineReader(file, maximumLine: maximumLine)
        var anchors: [Anchor] = []
        var number = 0
        var skipped: [Int] = []
        while let line = try lines.next() {
            guard number < maximumAnchors else {
                throw CommandFailure("\(path) has more than \(maximumAnchors) lines; split it.")
            }
            number += 1
            guard let anchor = Anchor(line: line) else {
                skipped.append(number)
                continue
            }
            guard anchor.isAuthentic(by: key) else {
                throw CommandFailure(
                    "Line \(number) of \(path) is not signed by the key, or was changed."
                )
            }
            anchors.append(anchor)
        }
        if let first = skipped.first {
            StandardError.write(
                "Warning: Line \(first) of \(path) is not an anchor; lines skipped: "
                    + "\(skipped.count).\n")
        }
        guard !anchors.isEmpty else { throw CommandFailure("\(path) has no anchors.") }
        return anchors
    }
}
