import Foundation

/// Certificates made for this run by `scripts/make-test-certs`, so that none in the repository can expire.
struct TestCertificates {
    static let directory: String = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let directory = FileManager.default.temporaryDirectory
            .appending(path: "mqttxx-certificates-\(ProcessInfo.processInfo.processIdentifier)").path()
        let process = Process()
        process.executableURL = root.appending(path: "scripts/make-test-certs")
        process.arguments = [directory]
        do {
            try process.run()
            process.waitUntilExit()
        } catch {
            fatalError("scripts/make-test-certs does not run: \(error)")
        }
        guard process.terminationStatus == 0 else { fatalError("scripts/make-test-certs failed") }
        atexit { try? FileManager.default.removeItem(atPath: TestCertificates.directory) }
        return directory
    }()

    static func path(_ name: String) -> String { "\(directory)/\(name)" }

    static func bytes(_ name: String) throws -> [UInt8] { try Array(Data(contentsOf: URL(filePath: path(name)))) }
}
