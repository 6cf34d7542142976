import Foundation

/// A directory that is gone after the body.
func withTemporaryDirectory<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appending(path: "mqttxx-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(directory)
}

/// The certificates that `scripts/make-test-certs` makes, for as long as the body runs.
func withCertificates<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    return try await withTemporaryDirectory { directory in
        let made = try await Tool.run([directory.path], program: root.appending(path: "scripts/make-test-certs").path)
        guard made.status == 0 else { throw CocoaError(.fileReadUnknown, userInfo: ["stderr": made.errors]) }
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
