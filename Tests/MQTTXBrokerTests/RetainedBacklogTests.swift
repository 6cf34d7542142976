import MQTTCore
import NIOCore
import Testing

@testable import MQTTXBroker

@Suite("New subscriptions that wait for their retained messages", .timeLimit(.minutes(2)))
struct RetainedBacklogTests {
    private static func lookUps(_ backlog: inout RetainedBacklog) -> [String] {
        var filters: [String] = []
        while case .lookUp(let filter) = backlog.next() { filters.append(filter) }
        return filters
    }

    @Test("A filter waits once, and not after UNSUBSCRIBE, however often it comes and goes")
    func filters() {
        var backlog = RetainedBacklog()
        for filter in ["a", "b", "a", "c"] { backlog.append(filter) }
        backlog.remove("a")
        backlog.append("a")
        backlog.remove("c")
        for index in 0..<1000 {
            backlog.append("d/\(index)")
            backlog.remove("d/\(index)")
        }
        #expect(Self.lookUps(&backlog) == ["b", "a"])
        #expect(backlog.isEmpty)
    }

    @Test(
        "Messages go out in parts; what is left is forgotten with the subscription, and looked up again after an absence"
    )
    func parts() throws {
        let messages = (0..<1000).map { index in
            let content = MessageContent(topic: "t/\(index)", payload: ByteBuffer(string: "x"), properties: .init())
            return Message(content, qos: .atLeastOnce, retain: true)
        }
        let subscription = Subscription(options: .init(), identifier: nil)
        var backlog = RetainedBacklog()
        backlog.found(messages, "t/+", subscription)
        var parts: [Int] = []
        while case .handOut(let part, _) = backlog.next() { parts.append(part.count) }
        #expect(parts.count > 1)
        #expect(parts.reduce(0, +) == messages.count)

        backlog.found(messages, "t/+", subscription)
        _ = backlog.next()
        backlog.suspend()
        #expect(Self.lookUps(&backlog) == ["t/+"])

        backlog.found(messages, "t/+", subscription)
        _ = backlog.next()
        backlog.remove("t/+")
        #expect(backlog.isEmpty)
    }
}
