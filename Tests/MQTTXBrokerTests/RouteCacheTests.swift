import MQTTCore
import NIOCore
import Testing

@testable import MQTTXBroker

@Suite("What is kept of routes and retained messages", .timeLimit(.minutes(2)))
struct RouteCacheTests {
    @Test("A route counts with its subscription identifiers, so that a session with many can't fill the cache")
    func identifiers() throws {
        let router = Router(
            maximumSubscriptions: .max, maximumWildcardLevels: .max, maximumBytes: .max, mayRead: nil)
        let session = Session(
            of: ClientIdentity(clientID: "many", username: nil),
            limits: SessionLimits(
                maximumQueuedMessages: 1, maximumQueuedBytes: 1, maximumInflight: 1, dropsOldest: false,
                account: MemoryAccount(limit: 1)))
        // Every topic `x/a/a/…` matches 64 filters of one session.
        for bits in 0..<64 {
            let levels = (0..<6).map { bits >> $0 & 1 == 1 ? "+" : "a" }
            let filter = try TopicFilter((["+"] + levels).joined(separator: "/"))
            let subscription = Subscription(options: .init(), identifier: UInt32(bits + 1))
            #expect(router.subscribe(session, filter, subscription) == true)
        }
        var cache = RouteCache(maximumTargets: 90)
        let suffix = String(repeating: "/a", count: 6)
        var largest = 0
        for index in 0..<50 {
            let route = cache.route(for: "\(index)" + suffix, in: router)
            #expect(route.targets[0].grant.identifiers.count == 64)
            largest = max(largest, cache.count)
        }
        #expect(largest == 10)
    }

    @Test("Retained messages that have expired are forgotten, and looked for only when there may be some")
    func sweep() {
        let store = RetainedStore(maximumCount: 100, maximumBytes: 1 << 20)
        let now = NIODeadline.now()
        for index in 0..<10 {
            let properties = Properties.with { if index > 0 { $0.messageExpiryInterval = UInt32(index * 10) } }
            let content = MessageContent(topic: "t/\(index)", payload: ByteBuffer(string: "x"), properties: properties)
            #expect(store.store(Message(content, qos: .atMostOnce, retain: true)))
        }
        store.sweep(now: now + .seconds(5))
        #expect(store.count == 10)
        store.sweep(now: now + .seconds(55))
        #expect(store.count == 5)
        store.sweep(now: now + .seconds(95))
        #expect(store.count == 1)
        var visited = 0
        #expect(store.matches("t/#", visited: &visited, now: now).map(\.content.topic) == ["t/0"])
        let removal = MessageContent(topic: "t/0", payload: ByteBuffer(), properties: .init())
        #expect(store.store(Message(removal, qos: .atMostOnce, retain: true)))
        #expect(store.count == 0)
        #expect(store.bytes == 0)
    }
}
