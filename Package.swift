// swift-tools-version: 6.2

import PackageDescription

/// Every target of this package is compiled by the same rules.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "wallet-service",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "wallet", targets: ["wallet"]),
        .library(name: "WalletClient", targets: ["WalletClient"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(
            url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // The domain: money, identifiers, commands, events, decisions. Standard library only.
        .target(name: "WalletCore"),

        // Sequencer, queries and verifier; owns the port to the store and its in-memory twin.
        .target(
            name: "LedgerEngine",
            dependencies: [
                "WalletCore",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
            ]
        ),

        // Adapters: the only place that knows a table.
        .target(
            name: "LedgerStores",
            dependencies: [
                "WalletCore", "LedgerEngine", "CSQLite",
                .product(name: "DequeModule", package: "swift-collections"),
            ]
        ),

        // HTTP: routes, authentication, problems, shapes.
        .target(
            name: "WalletAPI",
            dependencies: [
                "WalletCore",
                "LedgerEngine",
                "CDocuments",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "JWTKit", package: "jwt-kit"),
            ]
        ),

        // For other programs: the HTTP contract as Swift. Knows nothing of the service's insides.
        .target(
            name: "WalletClient",
            dependencies: [
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]
        ),

        // The command line, and the only place where the parts are put together.
        .executableTarget(
            name: "wallet",
            dependencies: [
                "WalletCore",
                "LedgerEngine",
                "LedgerStores",
                "WalletAPI",
                "WalletClient",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]
        ),

        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),

        // The contract and its page, embedded in the program.
        .target(name: "CDocuments", exclude: ["reference.css", "reference.html"]),

        // Fixtures, a manual clock, fault injection, the compatibility suite of the stores.
        .target(
            name: "WalletTesting",
            dependencies: ["WalletCore", "LedgerEngine"]
        ),

        .testTarget(
            name: "WalletCoreTests", dependencies: ["WalletCore", "WalletTesting"],
            exclude: ["Golden"]),
        .testTarget(
            name: "LedgerEngineTests",
            dependencies: ["WalletCore", "LedgerEngine", "WalletTesting"]),
        .testTarget(
            name: "LedgerStoresTests",
            dependencies: ["WalletCore", "LedgerEngine", "LedgerStores", "WalletTesting"]),
        .testTarget(
            name: "WalletAPITests",
            dependencies: [
                "WalletCore", "LedgerEngine", "WalletAPI", "WalletTesting",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]),
        .testTarget(
            name: "WalletClientTests",
            dependencies: [
                "WalletClient", "WalletAPI", "LedgerEngine", "WalletCore", "WalletTesting",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        .testTarget(name: "TidyTests"),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
    target.swiftSettings = settings
}
