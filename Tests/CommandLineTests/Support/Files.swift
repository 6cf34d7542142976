import Foundation
import TestSupport

/// A directory that is gone after the body.
func withTemporaryDirectory<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appending(path: "mqttxx-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(directory)
}

/// The certificates that `scripts/make-test-certs` makes, for as long as the body runs.
func withCertificates<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    try await withTemporaryDirectory { directory in
        try await ChildProcess.run(Checkout.root.appending(path: "scripts/make-test-certs").path, [directory.path])
        return try await body(directory)
    }
}

extension URL {
    func file(_ name: String) -> String { appending(path: name).path }

    /// Writes a file in this directory and gives its path.
    func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: appending(path: name))
        return file(name)
    }
}
