import Foundation
import Testing

@Suite("The command line", .timeLimit(.minutes(2)))
struct DemoTests {
    @Test("The demo shows the whole system and ends by itself with exit 0")
    func demo() async throws {
        let result = try await Tool.run(["demo"])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.contains("PERMISSION_DENIED"))
        #expect(result.output.contains("RPC_TIMEOUT"))
        #expect(result.output.contains("方法未找到"))
        #expect(result.output.contains("all of it happened"))
    }
}
