import Foundation

/// The certificates that `scripts/make-test-certs` makes, for as long as the body runs.
func withCertificates<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    try await withTemporaryDirectory { directory in
        try await ChildProcess.run(Checkout.root.appending(path: "scripts/make-test-certs").path, [directory.path])
        return try await body(directory)
    }
}

extension URL {
    func file(_ name: String) -> String { appending(path: name).path }
}
