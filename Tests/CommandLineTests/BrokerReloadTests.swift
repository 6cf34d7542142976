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
}
