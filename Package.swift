// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

func nio(_ product: String) -> Target.Dependency { .product(name: product, package: "swift-nio") }
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let collections = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "mqttxx",
    platforms: [.macOS(.v15), .iOS(.v18), .tvOS(.v18), .watchOS(.v11), .visionOS(.v2)],
    products: [
        .library(name: "MQTTX", targets: ["MQTTX"]),
        .library(name: "MQTTXBroker", targets: ["MQTTXBroker"]),
        .library(name: "MQTTXTesting", targets: ["MQTTXTesting"]),
        .library(name: "MQTTXProtobuf", targets: ["MQTTXProtobuf"]),
        .executable(name: "mqttxx", targets: ["mqttxx"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.3.1"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .target(
            name: "MQTTCore",
            dependencies: [nio("NIOCore"), collections],
            swiftSettings: settings),
        .target(
            name: "MQTTNetwork",
            dependencies: [
                "MQTTCore", nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), nio("NIOTLS"), nio("NIOWebSocket"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                collections, logging,
            ],
            swiftSettings: settings),
        .target(
            name: "MQTTXClient",
            dependencies: [
                "MQTTCore", "MQTTNetwork", "MQTTSCRAM", nio("NIOCore"), nio("NIOPosix"), collections, logging,
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .target(
            name: "MQTTSCRAM",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: settings),
        .target(
            name: "MQTTXProtocol",
            dependencies: ["MQTTCore", nio("NIOCore")],
            swiftSettings: settings),
        .target(
            name: "MQTTX",
            dependencies: ["MQTTCore", "MQTTXClient", "MQTTXProtocol", nio("NIOCore"), logging, collections],
            swiftSettings: settings),
        .target(
            name: "MQTTXBroker",
            dependencies: [
                "MQTTCore", "MQTTNetwork", "MQTTSCRAM", nio("NIOCore"), nio("NIOPosix"), collections, logging,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: settings),
        .target(
            name: "MQTTXTesting",
            dependencies: ["MQTTCore", "MQTTX", "MQTTXBroker", nio("NIOCore"), nio("NIOPosix"), collections, logging],
            swiftSettings: settings),
        .target(
            name: "MQTTXProtobuf",
            dependencies: [
                "MQTTCore", "MQTTXProtocol", nio("NIOCore"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "mqttxx",
            dependencies: [
                "MQTTX", "MQTTXBroker", "MQTTNetwork", argumentParser, collections, logging,
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "examples",
            dependencies: [
                "MQTTX", "MQTTXBroker", "MQTTXProtobuf",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Examples",
            swiftSettings: settings),
        .executableTarget(
            name: "benchmarks",
            dependencies: ["MQTTCore", "MQTTNetwork", "MQTTXClient", "MQTTXProtocol", nio("NIOCore")],
            path: "Benchmarks",
            exclude: ["instructions.tsv"],
            swiftSettings: settings),
        .target(
            name: "TestSupport", dependencies: ["MQTTCore", nio("NIOCore")], path: "Tests/Support",
            swiftSettings: settings),
        .testTarget(
            name: "MQTTXClientTests",
            dependencies: [
                "TestSupport", "MQTTXClient", "MQTTCore", "MQTTNetwork", "MQTTSCRAM", nio("NIOCore"), nio("NIOPosix"),
                logging,
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MQTTXBrokerTests",
            dependencies: [
                "TestSupport", "MQTTCore", "MQTTNetwork", "MQTTSCRAM", "MQTTXBroker", "MQTTXTesting", nio("NIOCore"),
                nio("NIOPosix"),
                collections,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MQTTXProtocolTests",
            dependencies: ["TestSupport", "MQTTCore", "MQTTXProtocol", nio("NIOCore")],
            swiftSettings: settings),
        .testTarget(
            name: "MQTTXTests",
            dependencies: [
                "TestSupport", "MQTTX", "MQTTXBroker", "MQTTXTesting", nio("NIOCore"), nio("NIOPosix"), logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MQTTXProtobufTests",
            dependencies: [
                "MQTTCore", "MQTTXProtocol", "MQTTXProtobuf", nio("NIOCore"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MQTTCoreTests",
            dependencies: ["TestSupport", "MQTTCore", nio("NIOCore")],
            swiftSettings: settings),
        .testTarget(
            name: "MQTTNetworkTests",
            dependencies: [
                "TestSupport", "MQTTNetwork", "MQTTCore", nio("NIOCore"), nio("NIOPosix"), nio("NIOEmbedded"), logging,
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "CommandLineTests",
            dependencies: ["TestSupport", "mqttxx", "MQTTNetwork", "MQTTXBroker", "MQTTX"],
            swiftSettings: settings),
        .testTarget(
            name: "InteropTests",
            dependencies: ["TestSupport", "MQTTX", "MQTTXBroker", "MQTTXTesting", "mqttxx", "examples"],
            exclude: ["Peers"],
            swiftSettings: settings),
    ]
)
