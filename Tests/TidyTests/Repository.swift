import Foundation

/// The repository as text: every file that people write, without what tools make.
struct Repository {
    struct File: Sendable, CustomStringConvertible {
        /// The path from the root of the repository, with `/` between its parts.
        var path: String
        var text: String

        var description: String { path }
        var isSwift: Bool { path.hasSuffix(".swift") }
        var folders: [Substring] { path.split(separator: "/").dropLast() }

        /// Its lines with their numbers, from 1.
        var lines: [(number: Int, text: Substring)] {
            text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
                .map { ($0 + 1, $1) }
        }

        /// Its lines of code: neither empty nor a comment as a whole.
        var code: [(number: Int, text: Substring)] {
            lines.filter { line in
                let trimmed = line.text.drop { $0 == " " }
                return !trimmed.isEmpty && !trimmed.hasPrefix("//")
            }
        }

        func isIn(_ folder: String) -> Bool { path.hasPrefix("\(folder)/") }
    }

    /// Larger files are data.
    static let largestText = 1_048_576

    static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Folders and files whose name starts with a dot are tools' own, but for these.
    private static let written: Set<String> = [
        ".ci", ".editorconfig", ".gitignore", ".swift-format",
    ]
    private static let made: Set<String> = ["Package.resolved", "__pycache__"]

    static let files: [File] = {
        var files: [File] = []
        collect(root, path: "", into: &files)
        return files.sorted { $0.path < $1.path }
    }()

    static let swift = files.filter(\.isSwift)

    private static func collect(_ folder: URL, path: String, into files: inout [File]) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        for name in names where !made.contains(name) {
            if name.hasPrefix("."), !written.contains(name) { continue }
            let url = folder.appending(path: name)
            let values = try? url.resourceValues(
                forKeys: [.isDirectoryKey, .isSymbolicLinkKey, .fileSizeKey])
            guard let values, values.isSymbolicLink != true else { continue }
            let path = path.isEmpty ? name : "\(path)/\(name)"
            // What `make run` leaves behind.
            if path == "data" { continue }
            if values.isDirectory == true {
                collect(url, path: path, into: &files)
            } else if let size = values.fileSize, size <= largestText,
                let data = try? Data(contentsOf: url),
                let text = String(validating: data, as: UTF8.self)
            {
                files.append(File(path: path, text: text))
            }
        }
    }
}
