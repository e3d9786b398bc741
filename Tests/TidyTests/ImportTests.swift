import Testing

/// Arrows point inward: what a target may see, by its folder.
@Suite("A target imports")
struct ImportTests {
    /// Add a line for a new target, and think twice before adding a word to a line.
    private static let allowed: [String: Set<String>] = [
        "Sources/WalletCore": [],
        "Sources/LedgerEngine": ["WalletCore", "Crypto", "DequeModule", "Synchronization"],
        "Sources/LedgerStores": [
            "WalletCore", "LedgerEngine", "CSQLite", "DequeModule", "Dispatch", "Foundation",
            "Synchronization",
        ],
        "Sources/WalletAPI": [
            "WalletCore", "LedgerEngine", "AsyncHTTPClient", "CDocuments", "HTTPTypes",
            "Hummingbird",
            "JWTKit", "Logging", "NIOCore", "NIOHTTP1", "NIOHTTPTypes", "Synchronization",
        ],
        "Sources/WalletClient": [
            "AsyncHTTPClient", "Foundation", "NIOCore", "NIOHTTP1", "Synchronization",
        ],
        "Sources/wallet": [
            "WalletCore", "LedgerEngine", "LedgerStores", "WalletAPI", "WalletClient",
            "ArgumentParser", "Configuration", "Foundation", "Histogram", "Hummingbird", "Logging",
            "NIOCore", "NIOPosix", "ServiceLifecycle", "Synchronization", "UnixSignals",
        ],
        "Sources/WalletTesting": [
            "WalletCore", "LedgerEngine", "Dispatch", "Foundation", "Synchronization",
        ],
        "Tests/TidyTests": standard,
        "Tests/WalletCoreTests": standard.union(["WalletCore", "WalletTesting"]),
        "Tests/LedgerEngineTests": standard.union([
            "WalletCore", "LedgerEngine", "WalletTesting",
        ]),
        "Tests/LedgerStoresTests": standard.union([
            "WalletCore", "LedgerEngine", "LedgerStores", "WalletTesting",
        ]),
        "Tests/WalletAPITests": standard.union([
            "WalletCore", "LedgerEngine", "WalletAPI", "WalletTesting", "Crypto", "HTTPTypes",
            "Hummingbird", "Logging", "NIOCore",
        ]),
        "Tests/WalletClientTests": standard.union([
            "WalletCore", "LedgerEngine", "WalletAPI", "WalletClient", "WalletTesting",
            "AsyncHTTPClient", "Hummingbird", "Logging", "NIOCore", "NIOPosix",
        ]),
    ]

    /// What any test may use.
    private static let standard: Set<String> = [
        "Dispatch", "Foundation", "Synchronization", "Testing",
    ]

    /// The module that a line of code imports.
    private static func module(_ line: Substring) -> String? {
        guard line.contains("import ") else { return nil }
        let kind = /(?:(?:struct|class|enum|protocol|func|var|let|typealias|actor) +)?/
        let head = /^ *(?:@\w+(?:\(\w+\))? +)*(?:\w+ +)?import +/
        guard let start = line.prefixMatch(of: head)?.range.upperBound,
            let end = line[start...].prefixMatch(of: kind)?.range.upperBound
        else { return nil }
        return line[end...].prefixMatch(of: /\w+/).map { String($0.output) }
    }

    private static let targets = Set(
        Repository.swift.filter { $0.folders.count >= 2 }
            .map { $0.folders.prefix(2).joined(separator: "/") }
    ).filter { $0.hasPrefix("Sources/") || $0.hasPrefix("Tests/") }.sorted()

    @Test("only what its line in the table allows", arguments: targets)
    func allowedOnly(target: String) throws {
        let allowed = try #require(Self.allowed[target], "\(target) has no line in the table")
        for file in Repository.swift where file.isIn(target) {
            for line in file.code {
                guard let module = Self.module(line.text), !allowed.contains(module) else {
                    continue
                }
                Issue.record("\(file.path):\(line.number) must not import \(module)")
            }
        }
    }

    @Test("nothing that is gone from the table's folders")
    func noStaleLines() {
        #expect(Set(Self.allowed.keys).isSubset(of: Self.targets))
    }

    @Test(
        "by a line that the table understands",
        arguments: [
            ("import A", "A"), ("package import A", "A"), ("import struct A.B", "A"),
            ("@testable import A", "A"), ("@preconcurrency public import A", "A"),
            ("@_spi(X) import A.B", "A"), ("    import A", "A"), ("important(A)", nil),
            ("let import_A = 1", nil),
        ] as [(Substring, String?)])
    func modules(line: Substring, module: String?) {
        #expect(Self.module(line) == module)
    }
}
