import Foundation
import Testing

@Suite("The broker reads its files again", .timeLimit(.minutes(2)), .serialized)
struct BrokerReloadTests {
    @Test("SIGHUP has the ACL file read again, and a file that can't be used changes nothing")
    func reload() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "acl-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        func write(_ rules: String) throws { try rules.write(to: file, atomically: true, encoding: .utf8) }
        try write("topic read a\n")
        let broker = try RunningTool(["broker", "--port", "0", "--acl-file", file.path])
        let port = try #require(await broker.nextLine()?.split(separator: ":").last.map(String.init))
        func publishes() async throws -> Bool {
            try await Tool.run(["pub", "-p", port, "-t", "a", "-m", "x", "-q", "1"]).status == 0
        }
        #expect(try await !publishes())
        try write("topic write a\n")
        broker.hangUp()
        while try await !publishes() {}
        try write("nonsense\n")
        broker.hangUp()
        #expect(try await publishes())
        broker.terminate()
        #expect(await broker.status() == 0)
    }

    @Test("A changed certificate file that can't be used is told, and the certificate from before stays")
    func certificate() async throws {
        try await withCertificates { files in
            let broker = try RunningTool([
                "broker", "--no-tcp", "--tls-port", "0", "--cert", files.file("server.pem"), "--key",
                files.file("server.key"),
            ])
            let line = try #require(await broker.nextLine())
            let port = try #require(line.firstMatch(of: /:([0-9]+) tls$/).map { String($0.1) })
            func publishes() async throws -> Bool {
                let options = ["-p", port, "--cafile", files.file("ca.pem"), "-t", "a", "-m", "x", "-q", "1"]
                return try await Tool.run(["pub"] + options).status == 0
            }
            _ = try files.write("server.pem", "nonsense\n")
            #expect(try await publishes())
            let warning = await broker.errorLines.first { _ in true }
            #expect(
                warning?.hasPrefix("warning: ") == true && warning?.contains("server.pem") == true, "\(warning ?? "")")
            broker.terminate()
            #expect(await broker.status() == 0)
        }
    }
}
