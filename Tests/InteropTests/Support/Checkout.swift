import Foundation

/// Where things are in this checkout.
enum Checkout {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let peers = root.appending(path: "Tests/InteropTests/Peers")

    /// The Python of a virtual environment that `scripts/install-peers` made.
    static func python(_ environment: String) -> String {
        root.appending(path: ".build-peers/\(environment)/bin/python").path
    }

    /// The directory in which SwiftPM puts executables, this test's own among them.
    static let products = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()

    /// Whether a missing peer is a failure rather than a reason to skip.
    static let isCI = ProcessInfo.processInfo.environment["CI"] != nil

    /// Whether everything is installed that the tests in this target talk to.
    static let hasPeers =
        executable("mosquitto") != nil && executable("openssl") != nil
        && ["mqttxx-3", "mqttxx-4", "clients"].allSatisfy { FileManager.default.isExecutableFile(atPath: python($0)) }

    /// What a test's `.enabled(if:)` asks: in CI everything runs, and fails where something is missing.
    static let runsPeers = isCI || hasPeers

    static func executable(_ name: String) -> String? {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "") + ":/usr/sbin:/usr/local/sbin"
        return path.split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
