import MQTTCore
import NIOCore
import Synchronization
import Testing

@testable import MQTTXBroker

@Suite("Shared subscriptions whose members come and go", .timeLimit(.minutes(2)))
struct SharedGroupTests {
    @Test("No message of QoS 1 is lost as long as one member stays [section 4.8.2]")
    func membersLeave() async throws {
        try await withBroker { broker in
            let seen = Numbers()
            let steady = try await RawClient.connect(broker)
            try await steady.subscribe("$share/g/t", .init(qos: .atLeastOnce))
            let count = 2000
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Self.take(steady, into: seen, atMost: .max) }
                for _ in 0..<3 {
                    group.addTask {
                        while !seen.isComplete {
                            let member = try await RawClient.connect(broker)
                            try await member.subscribe("$share/g/t", .init(qos: .atLeastOnce))
                            try await Self.take(member, into: seen, atMost: 10)
                            try await member.cut()
                        }
                    }
                }
                let publisher = try await RawClient.connect(broker, version: .v3_1_1)
                for index in 1...count {
                    try await publisher.send(
                        .publish(
                            Publish(
                                topic: "t", payload: ByteBuffer(string: "\(index)"), qos: .atLeastOnce,
                                packetID: UInt16(index))))
                    _ = try await publisher.receive()
                }
                seen.complete()
                // What the others held comes to the one that stays.
                let deadline = ContinuousClock.now + .seconds(20)
                while seen.count < count, ContinuousClock.now < deadline {
                    _ = try await publisher.drain()
                }
                #expect(seen.count == count)
                try await steady.cut()
                try? await group.waitForAll()
            }
        }
    }

    /// Acknowledges what comes, until so many have come or the connection has ended.
    private static func take(_ client: RawClient, into seen: Numbers, atMost limit: Int) async throws {
        var taken = 0
        while taken < limit {
            let message: Publish
            do { message = try await client.message() } catch is RawClientError { return }
            taken += 1
            seen.insert(Int(message.text) ?? -1)
            try await client.send(.puback(.init(packetID: message.packetID)))
        }
    }

    @Test("A message that no member has room for asks each of them once, and none under a lock")
    func allAreFull() async throws {
        let checks = Checks()
        let members = 30
        try await withBroker({
            $0.authorizer = checks
            $0.maximumQueuedMessages = 1
        }) { broker in
            for index in 0..<members {
                let member = try await RawClient.resume(broker, "member \(index)")
                try await member.subscribe("$share/g/t", .init(qos: .atLeastOnce))
                try await member.disconnect()
            }
            // The check comes back for the broker's own doings.
            checks.broker.withLock { $0 = broker }
            let publisher = try await RawClient.connect(broker)
            for index in 0..<members { try await publisher.publish("t", "\(index)", qos: .atLeastOnce) }
            let before = checks.count.withLock { $0 }
            #expect(broker.statistics.messagesDropped == 0)
            try await publisher.publish("t", "one too many", qos: .atLeastOnce)
            #expect(broker.statistics.messagesDropped == 1)
            #expect(checks.count.withLock { $0 } == before + members)
            // Turns went round: each has one.
            checks.broker.withLock { $0 = nil }
            var texts: Set<String> = []
            for index in 0..<members {
                texts.insert(try await RawClient.resume(broker, "member \(index)").message().text)
            }
            #expect(texts.count == members)
        }
    }

    @Test("Members that are away cost a message nothing while one is connected, or if it is not kept for them")
    func membersAreAway() async throws {
        let checks = Checks()
        try await withBroker({ $0.authorizer = checks }) { broker in
            for index in 0..<50 {
                let member = try await RawClient.resume(broker, "member \(index)")
                try await member.subscribe("$share/g/t", .init(qos: .atLeastOnce))
                try await member.disconnect()
            }
            let publisher = try await RawClient.connect(broker)
            func checked(_ text: String, _ qos: QoS) async throws -> Int {
                let before = checks.count.withLock { $0 }
                try await publisher.publish("t", text, qos: qos)
                _ = try await publisher.drain()
                return checks.count.withLock { $0 } - before
            }
            #expect(try await checked("lost", .atMostOnce) == 0)
            #expect(try await checked("kept", .atLeastOnce) == 1)

            let member = try await RawClient.resume(broker, "member 25")
            #expect(try await checked("0", .atMostOnce) == 1)
            #expect(try await checked("1", .atLeastOnce) == 1)
            #expect(try await [member.message().text, member.message().text] == ["0", "1"])
            try await member.disconnect()
            #expect(try await checked("lost", .atMostOnce) == 0)
        }
    }

    @Test("A message looks at 1,024 members without room, and the next one at those behind them")
    func search() async throws {
        try await withBroker { broker in
            let group = SharedGroup()
            let sessions = (0..<1100).map {
                Session(of: ClientIdentity(clientID: "\($0)", username: nil), limits: broker.core.limits)
            }
            for session in sessions {
                group.join(session, Subscription(options: .init(qos: .atLeastOnce), identifier: nil))
            }
            func asked(takes: Session?) -> [UInt64] {
                var asked: [UInt64] = []
                _ = group.offer(isKept: true, mayRead: { _ in true }) { session, _ -> Bool? in
                    asked.append(session.number)
                    return session === takes ? true : nil
                }
                return asked
            }
            #expect(asked(takes: sessions[1050]) == sessions[..<1024].map(\.number))
            #expect(asked(takes: sessions[1050]) == sessions[1024...1050].map(\.number))
            #expect(asked(takes: sessions[1051]) == [sessions[1051].number])
        }
    }

    /// Counts how often it is asked who may read.
    private final class Checks: Authorizer {
        let count = Mutex(0)
        let broker = Mutex<Broker?>(nil)

        func mayPublish(_ topic: String, by client: ClientIdentity) -> Bool { true }
        func maySubscribe(_ filter: String, by client: ClientIdentity) -> Bool { true }
        func mayReceive(_ topic: String, by client: ClientIdentity) -> Bool {
            count.withLock { $0 += 1 }
            _ = broker.withLock { $0 }?.statistics
            return true
        }
    }

    @Test("A session that ends leaves no subscription behind, whatever its client was about to send")
    func takeovers() async throws {
        try await withBroker { broker in
            for _ in 0..<50 {
                let first = try await RawClient.connect(broker, "same")
                async let subscribing: Void = {
                    for index in 0..<20 as Range<UInt16> {
                        try? await first.send(
                            .subscribe(Subscribe(packetID: index + 1, filters: [.init("t/\(index)")])))
                    }
                }()
                let second = try await RawClient.connect(broker, "same")
                await subscribing
                try await first.closed()
                try await second.disconnect()
            }
            #expect(broker.statistics.subscriptions == 0)
        }
    }
}

/// What arrived.
private final class Numbers: Sendable {
    private let state = Mutex<(numbers: Set<Int>, isComplete: Bool)>(([], false))

    var count: Int { state.withLock { $0.numbers.count } }
    var isComplete: Bool { state.withLock { $0.isComplete } }

    func insert(_ number: Int) { state.withLock { _ = $0.numbers.insert(number) } }
    func complete() { state.withLock { $0.isComplete = true } }
}
