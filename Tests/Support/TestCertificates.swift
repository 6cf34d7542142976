package import Foundation

/// Certificates made for this run by `scripts/make-test-certs`, so that none in the repository can expire.
package enum TestCertificates {
    package static let directory: URL = {
        // Short, and readable for servers that give up being root.
        let directory = URL(filePath: "/tmp/mqttxx-certificates-\(ProcessInfo.processInfo.processIdentifier)")
        do {
            let script = Checkout.root.appending(path: "scripts/make-test-certs").path
            let child = try ChildProcess(script, [directory.path])
            guard child.waitForExit() == 0 else { fatalError("scripts/make-test-certs failed: \(child.tail)") }
        } catch {
            fatalError("scripts/make-test-certs does not run: \(error)")
        }
        atexit { try? FileManager.default.removeItem(at: TestCertificates.directory) }
        return directory
    }()

    package static func path(_ name: String) -> String { directory.appending(path: name).path }

    package static func bytes(_ name: String) throws -> [UInt8] {
        try Array(Data(contentsOf: URL(filePath: path(name))))
    }
}
