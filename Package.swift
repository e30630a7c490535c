// swift-tools-version: 6.1
import PackageDescription

/// What every Swift target is compiled with: the Swift 6 language mode, in which a data race is an error. In the release each function is a
/// section of its own, which the linker can put where it wants.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .unsafeFlags(["-Xfrontend", "-function-sections"], .when(configuration: .release)),
]

/// The server's functions stand in the order in which they are used, those of every day together: Docs/Performance.md, "The order of functions".
let ordered: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-use-ld=lld",
            "-Xlinker", "--symbol-ordering-file=\(Context.packageDirectory)/Sources/martlet/Layout/functions.order",
            "-Xlinker", "--no-warn-symbol-ordering",
            "-Xlinker", "-T", "-Xlinker", "\(Context.packageDirectory)/Sources/martlet/Layout/private.ld",
        ], .when(platforms: [.linux], configuration: .release))
]

/// Tests that mostly wait for a database are compiled without optimization, also where what they test is optimized: in a quarter of the time.
let quick = strict + [.unsafeFlags(["-Onone"])]

// The targets, lowest first. A target imports only those above it in this list: Docs/Architecture.md says why.
let package = Package(
    name: "martlet",
    products: [
        .executable(name: "martlet", targets: ["martlet"]),
        .executable(name: "register_new_matrix_user", targets: ["register_new_matrix_user"]),
        .executable(name: "martlet-thumbnailer", targets: ["martlet-thumbnailer"]),
    ],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C: the system's libraries, and the few lines that Swift cannot import by itself.
        .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CVips", pkgConfig: "gobject-2.0", providers: [.apt(["libvips-dev"])]),
        .target(name: "CShims", linkerSettings: [.linkedLibrary("crypt"), .linkedLibrary("curl"), .linkedLibrary("resolv")]),

        .target(
            name: "MatrixCore",
            dependencies: [.product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict),
        .target(
            name: "ServerConfiguration",
            dependencies: [
                "MatrixCore", .product(name: "Logging", package: "swift-log"), .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict),
        .target(
            name: "Persistence",
            dependencies: [
                "MatrixCore", "ServerConfiguration", "CLibpq", "CSQLite", "CShims",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "Rooms",
            dependencies: [
                "MatrixCore", "Persistence",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HashTreeCollections", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .target(
            name: "Federation",
            dependencies: [
                "MatrixCore", "ServerConfiguration", "Persistence", "Rooms", "CShims",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HashTreeCollections", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .target(
            name: "Homeserver",
            dependencies: [
                "MatrixCore", "ServerConfiguration", "Persistence", "Rooms", "Federation", "CShims",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HashTreeCollections", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .target(
            name: "MatrixAPI",
            dependencies: [
                "MatrixCore", "ServerConfiguration", "Persistence", "Rooms", "Federation", "Homeserver",
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOHTTPCompression", package: "swift-nio-extras"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "martlet",
            dependencies: [
                "MatrixCore", "ServerConfiguration", "Persistence", "Rooms", "Federation", "Homeserver", "MatrixAPI", "CShims",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            exclude: ["Layout"],
            swiftSettings: strict,
            linkerSettings: ordered),
        .executableTarget(
            name: "register_new_matrix_user",
            dependencies: [
                "MatrixCore", "ServerConfiguration",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: strict),

        // Decodes images of strangers, outside the server: see Docs/Architecture.md, Media. C.
        .executableTarget(name: "martlet-thumbnailer", dependencies: ["CVips"], linkerSettings: [.linkedLibrary("vips")]),

        // Micro-benchmarks of hot pieces: `swift run -c release benchmarks`.
        .executableTarget(name: "benchmarks", dependencies: ["MatrixCore"], swiftSettings: strict),

        // MatrixCore's side of the cross-check with Synapse: Scripts/crosscheck.
        .executableTarget(name: "crosscheck", dependencies: ["MatrixCore"], path: "Tests/CrossCheck/Answers", swiftSettings: strict),

        // Tests. TestSupport gives each of them a database of either kind.
        .target(
            name: "TestSupport",
            dependencies: ["Persistence", "ServerConfiguration", .product(name: "Logging", package: "swift-log")],
            path: "Tests/TestSupport",
            swiftSettings: strict),
        .testTarget(name: "MatrixCoreTests", dependencies: ["MatrixCore"], swiftSettings: strict),
        .testTarget(name: "ServerConfigurationTests", dependencies: ["ServerConfiguration"], swiftSettings: quick),
        .testTarget(name: "PersistenceTests", dependencies: ["Persistence", "TestSupport"], swiftSettings: quick),
        .testTarget(name: "RoomsTests", dependencies: ["Rooms", "TestSupport"], swiftSettings: quick),
        .testTarget(
            name: "FederationTests",
            dependencies: [
                "Federation", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: quick),
        .testTarget(name: "HomeserverTests", dependencies: ["Homeserver", "TestSupport"], swiftSettings: quick),
        .testTarget(name: "MatrixAPITests", dependencies: ["MatrixAPI", "TestSupport"], swiftSettings: quick),
    ]
)
