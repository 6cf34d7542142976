import MQTTCore
import NIOCore
import Testing

@testable import MQTTXBroker

@Suite("A message that waits", .timeLimit(.minutes(2)))
struct MessageTests {
    private static func content(_ size: Int, of buffer: Int) throws -> MessageContent {
        let memory = ByteBuffer(repeating: 7, count: buffer)
        let payload = try #require(memory.getSlice(at: 0, length: size))
        let properties = Properties.with { $0.userProperties = [UserProperty("name", "value")] }
        return MessageContent(topic: "t", payload: payload, properties: properties)
    }

    private static func bytes(_ source: some MessageSource) -> (properties: [UInt8], payload: [UInt8]) {
        source.withBytes { (Array($0), Array($1)) }
    }

    @Test(
        "Has the bytes of what it was made of, wherever they lie, and counts them",
        arguments: [(0, 0), (0, 65_536), (1, 65_536), (100, 100), (4096, 4096), (60_000, 65_536)])
    func bytes(size: Int, buffer: Int) throws {
        let content = try Self.content(size, of: buffer)
        let message = Message(content, qos: .atLeastOnce, retain: false)
        let expected = Self.bytes(content)
        #expect(Self.bytes(message) == expected)
        #expect(expected.payload == Array(repeating: 7, count: size))
        #expect(Self.bytes(message.content) == expected)
        #expect(message.isEmpty == (size == 0))
        #expect(message.cost == 1 + size + expected.properties.count + 160)
    }

    @Test("Small, it lets go of the large buffer that it was read into")
    func memory() throws {
        var memory = ByteBuffer(repeating: 7, count: 65_536)
        let message = Message(
            MessageContent(topic: "t", payload: try #require(memory.getSlice(at: 0, length: 100)), properties: .init()),
            qos: .atLeastOnce, retain: false)
        #expect(memory.modifyIfUniquelyOwned { $0.clear() } != nil)
        #expect(Self.bytes(message).payload == Array(repeating: 7, count: 100))
    }
}
