import Foundation

/// A `wallet serve` of our own, on a ledger in a folder that goes away with it.
struct ServerProcess {
    /// Time until a started service must be ready, and a stopped one gone.
    private static let patience = Duration.seconds(30)

    let url: String
    let key: String
    var identifier: Int32 { process.processIdentifier }

    private let process: Process
    private let folder: URL
    private let database: String

    /// Starts a service, lends it out, stops it and proves its ledger.
    ///
    /// - Parameter options: more options of `wallet serve`.
    static func run<Result>(
        options: [String], _ body: (ServerProcess) async throws -> Result
    ) async throws -> (result: Result, verification: String) {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("wallet-bench-\(String(SystemEntropy.next(), radix: 36))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let server = try await ServerProcess(options: options, in: folder)
        defer { server.kill() }
        let result = try await body(server)
        server.process.terminate()
        try await server.waitForEnd()
        return (result, try await server.verify())
    }

    private init(options: [String], in folder: URL) async throws {
        self.folder = folder
        key =
            "wk_bench_" + String(SystemEntropy.next(), radix: 36) + "_"
            + String(SystemEntropy.next(), radix: 36)
        // Another database can be meant, which then is not removed.
        let given = options.firstIndex(of: "--database").flatMap { index in
            options.indices.contains(index + 1) ? options[index + 1] : nil
        }
        database = given ?? "sqlite:\(folder.path)/ledger.sqlite"
        process = try Self.start(
            ["serve", "--create", "--host", "127.0.0.1", "--port", "0"]
                + (given == nil ? ["--database", database] : []) + options,
            output: folder.appendingPathComponent("serve.out"),
            errors: folder.appendingPathComponent("serve.log"),
            environment: ["WALLET_BOOTSTRAP_API_KEY": key])
        do {
            url = try await Self.readyURL(of: process, in: folder)
        } catch {
            if process.isRunning { _ = Foundation.kill(process.processIdentifier, SIGKILL) }
            throw error
        }
    }

    /// Runs this very program, even if its file has been replaced meanwhile.
    private static func start(
        _ arguments: [String], output: URL, errors: URL, environment: [String: String] = [:]
    ) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try writing(to: output)
        process.standardError = try writing(to: errors)
        try process.run()
        return process
    }

    private static func writing(to file: URL) throws -> FileHandle {
        try Data().write(to: file)
        return try FileHandle(forWritingTo: file)
    }

    private static func readyURL(of process: Process, in folder: URL) async throws -> String {
        let output = folder.appendingPathComponent("serve.out")
        let start = ContinuousClock.now
        let sign = "wallet service ready on "
        while process.isRunning, ContinuousClock.now - start < patience {
            let text = (try? String(contentsOf: output, encoding: .utf8)) ?? ""
            for line in text.split(separator: "\n").dropLast(text.hasSuffix("\n") ? 0 : 1)
            where line.hasPrefix(sign) {
                return String(line.dropFirst(sign.count))
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        let log = tail(of: folder.appendingPathComponent("serve.log"))
        throw CommandFailure("`wallet serve` did not become ready. It said:\n\(log)")
    }

    private static func tail(of file: URL) -> String {
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        return String(text.suffix(2_000))
    }

    private func waitForEnd() async throws {
        let start = ContinuousClock.now
        while process.isRunning {
            guard ContinuousClock.now - start < Self.patience else {
                throw CommandFailure("The service did not stop within \(Self.patience).")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            let log = Self.tail(of: folder.appendingPathComponent("serve.log"))
            throw CommandFailure(
                "The service ended with \(process.terminationStatus). It said:\n\(log)")
        }
    }

    /// Proves the ledger that is left; says its first line, and throws if it is not sound.
    private func verify() async throws -> String {
        let output = folder.appendingPathComponent("verify.out")
        let verifier = try Self.start(
            ["verify", "--database", database], output: output,
            errors: folder.appendingPathComponent("verify.log"))
        defer { if verifier.isRunning { verifier.terminate() } }
        while verifier.isRunning { try await Task.sleep(for: .milliseconds(10)) }
        let text =
            Self.tail(of: output) + Self.tail(of: folder.appendingPathComponent("verify.log"))
        guard verifier.terminationReason == .exit, verifier.terminationStatus == 0 else {
            throw CommandFailure("`wallet verify` after the run failed:\n\(text)")
        }
        return text.split(separator: "\n").first.map(String.init) ?? ""
    }

    /// The end of one that is still there because something went wrong.
    private func kill() {
        guard process.isRunning else { return }
        process.terminate()
        for _ in 0..<300 where process.isRunning { usleep(10_000) }
        if process.isRunning { _ = Foundation.kill(process.processIdentifier, SIGKILL) }
    }
}
