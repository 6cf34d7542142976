package import Foundation

/// Where things are in this checkout.
package enum Checkout {
    package static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    package static let peers = root.appending(path: "Tests/InteropTests/Peers")

    /// The Python of a virtual environment that `scripts/install-peers` made.
    package static func python(_ environment: String) -> String {
        root.appending(path: ".build-peers/\(environment)/bin/python").path
    }

    /// The directory in which SwiftPM puts executables, this test's own among them.
    package static let products = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()

    /// Whether a missing peer is a failure rather than a reason to skip.
    package static let isCI = ProcessInfo.processInfo.environment["CI"] != nil

    /// Whether everything is installed that the tests against other software talk to.
    package static let hasPeers =
        ["mosquitto", "mosquitto_pub", "ejabberdctl", "openssl"].allSatisfy { executable($0) != nil }
        && ["mqttxx-3", "mqttxx-4", "clients"].allSatisfy { FileManager.default.isExecutableFile(atPath: python($0)) }

    /// What a test's `.enabled(if:)` asks: in CI everything runs, and fails where something is missing.
    package static let runsPeers = isCI || hasPeers

    /// The path of a program that is installed; nil if it is not.
    package static func executable(_ name: String) -> String? {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "") + ":/usr/sbin:/usr/local/sbin"
        return path.split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// The path of a program that has to be installed.
    ///
    /// - Throws: ``ChildProcess/Failure`` that says what to do.
    package static func tool(_ name: String) throws -> String {
        guard let path = executable(name) else {
            throw ChildProcess.Failure("\(name) is not installed; run scripts/install-peers")
        }
        return path
    }
}
