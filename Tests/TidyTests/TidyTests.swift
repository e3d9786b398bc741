import Testing

@Suite("The repository")
struct TidyTests {
    /// Fails for every line that matches, and names it.
    private func forbid(
        in files: [Repository.File], _ why: Comment, _ matches: (Substring) -> Bool
    ) {
        for file in files {
            for line in file.lines where matches(line.text) {
                Issue.record("\(file.path):\(line.number): \(why): \(line.text)")
            }
        }
    }

    @Test("is found, with its manifest, its sources and its tests")
    func isFound() {
        let paths = Set(Repository.files.map(\.path))
        #expect(paths.contains("Package.swift"))
        #expect(paths.contains("Sources/WalletCore/Decide.swift"))
        #expect(paths.contains("Tests/TidyTests/TidyTests.swift"))
        #expect(!paths.contains { $0.hasPrefix(".build") || $0.hasPrefix(".git/") })
    }

    @Test("has no Swift file over 500 lines", arguments: Repository.swift)
    func length(file: Repository.File) {
        #expect(file.lines.count - 1 <= 500)
    }

    @Test("has no Swift line over 100 columns")
    func columns() {
        forbid(in: Repository.swift, "over 100 columns") {
            $0.unicodeScalars.count > 100
        }
    }

    @Test("has no tab but in make files, no space at the end of a line, and no carriage return")
    func whiteSpace() {
        let indentedByTabs = Repository.files.filter {
            $0.path.hasSuffix("Makefile") || $0.path.hasSuffix(".mk")
        }
        let free = Repository.files.filter { file in
            !indentedByTabs.contains { $0.path == file.path }
        }
        forbid(in: free, "a tab") { $0.utf8.contains(0x09) }
        forbid(in: Repository.files, "white space at the end") {
            [0x20, 0x09, 0x0D].contains($0.utf8.last)
        }
    }

    @Test("ends every file with one line feed")
    func lineFeeds() {
        for file in Repository.files where !file.text.isEmpty {
            #expect(file.text.hasSuffix("\n"), "\(file.path)")
            #expect(!file.text.hasSuffix("\n\n"), "\(file.path)")
        }
    }

    @Test("says nothing of where and why it was written")
    func forbiddenWords() {
        // Spelled in parts, since this file is text as well.
        for word in ["issue " + "#", ".." + "/shared", "/" + "work/"] {
            let files = Repository.files.filter { $0.text.lowercased().contains(word) }
            forbid(in: files, "not the repository's business") {
                $0.lowercased().contains(word)
            }
        }
    }

    @Test("leaves nothing for later")
    func unfinished() {
        // The tests of tidiness name what they forbid.
        let others = Repository.files.filter { !$0.isIn("Tests/TidyTests") }
        for word in ["TODO", "FIXME", "HACK:"] {
            let files = others.filter { $0.text.contains(word) }
            forbid(in: files, "unfinished") { $0.contains(word) }
        }
    }
}

@Suite("The Swift code")
struct CodeTests {
    private func forbid(
        _ what: String, _ why: Comment, outside folder: String? = nil,
        _ matches: (Substring) -> Bool
    ) {
        for file in Repository.swift where file.isIn("Sources") {
            if let folder, file.isIn(folder) { continue }
            for line in file.code where matches(line.text) {
                Issue.record("\(file.path):\(line.number): `\(what)`: \(why)")
            }
        }
    }

    @Test("is Sendable by construction")
    func sendable() {
        let why: Comment = "use a value, or a `Mutex`"
        forbid("@unchecked Sendable", why) { $0.contains("@unchecked") }
        forbid("nonisolated(unsafe)", why) { $0.contains("nonisolated(unsafe)") }
    }

    @Test("traps on bugs only, and says which")
    func traps() {
        let why: Comment = "a fault is an error, and a bug is a `preconditionFailure` that names it"
        forbid("try!", why) { $0.contains("try!") }
        forbid("as!", why) { $0.contains(" as! ") }
        forbid("fatalError", why) { $0.contains("fatalError(") }
    }

    @Test("starts no task that nobody waits for, but where the parts are put together")
    func unstructuredTasks() {
        forbid("Task", "use a task group or a service", outside: "Sources/wallet") {
            $0.contains("Task") && startsTask($0)
        }
    }

    private func startsTask(_ line: Substring) -> Bool {
        line.contains(/\bTask(\.detached|\.immediate)?\s*(<[^>]*>)?\s*[({]/)
    }

    @Test("proves in a comment what the compiler cannot see")
    func unsafe() {
        for file in Repository.swift where file.isIn("Sources") {
            guard file.code.contains(where: { $0.text.contains("unsafe ") }) else { continue }
            let isProven = file.text.contains("// Safe: ")
            #expect(isProven, "\(file.path) needs a comment `Safe: …` that says why")
        }
    }

    @Test(
        "is searched for tasks by a pattern that finds them and no others",
        arguments: [
            ("Task {", true), ("let task = Task.detached {", true), ("Task(name: x) {", true),
            ("Task<Void, Never> {", true), ("group.addTask {", false), ("Task.sleep(for:", false),
            ("loop.scheduleTask(in: time) {", false), ("Task.isCancelled", false),
        ] as [(Substring, Bool)])
    func pattern(line: Substring, isStart: Bool) {
        #expect(startsTask(line) == isStart)
    }
}
