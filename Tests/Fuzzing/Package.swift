// swift-tools-version: 6.1
import PackageDescription

// A package of its own, because everything in it is compiled for the fuzzer. `Scripts/fuzz` puts it together in .build/fuzzing,
// with Sources/MatrixCore beside the sources here, and builds it there.
let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny")]

let package = Package(
    name: "fuzzing",
    dependencies: [.package(url: "https://github.com/apple/swift-crypto", from: "4.5.2")],
    targets: [
        .target(name: "CFuzzer"),
        .target(
            name: "MatrixCore", dependencies: [.product(name: "Crypto", package: "swift-crypto")], swiftSettings: strict),
        .executableTarget(name: "fuzz", dependencies: ["MatrixCore", "CFuzzer"], swiftSettings: strict),
    ]
)
