import MQTTCore
import NIOCore
import Synchronization

/// The `$SYS` topics: what the broker tells about itself.
final class SystemTopics: Sendable {
    private let start = ContinuousClock.now
    private let previous = Mutex<[String: String]>([:])

    /// The topics whose values have changed since they were asked for last.
    func changes(_ statistics: BrokerStatistics) -> [(topic: String, value: String)] {
        let uptime = start.duration(to: .now).components.seconds
        let values: [(String, String)] = [
            ("version", "mqttxx broker"),
            ("uptime", "\(uptime) seconds"),
            ("clients/connected", "\(statistics.connections)"),
            ("clients/total", "\(statistics.sessions)"),
            ("clients/disconnected", "\(max(0, statistics.sessions - statistics.connections))"),
            ("subscriptions/count", "\(statistics.subscriptions)"),
            ("retained messages/count", "\(statistics.retainedMessages)"),
            ("messages/received", "\(statistics.messagesReceived)"),
            ("messages/sent", "\(statistics.messagesSent)"),
            ("messages/dropped", "\(statistics.messagesDropped)"),
            ("publish/messages/received", "\(statistics.messagesReceived)"),
            ("publish/messages/sent", "\(statistics.messagesSent)"),
            ("publish/messages/dropped", "\(statistics.messagesDropped)"),
            ("bytes/received", "\(statistics.bytesReceived)"),
            ("bytes/sent", "\(statistics.bytesSent)"),
            ("publishers/held", "\(statistics.publishersHeld)"),
            ("subscribers/stalled", "\(statistics.subscribersStalled)"),
        ]
        return previous.withLock { previous in
            values.compactMap { name, value in
                let topic = "$SYS/broker/" + name
                guard previous.updateValue(value, forKey: topic) != value else { return nil }
                return (topic, value)
            }
        }
    }
}

extension BrokerCore {
    var statistics: BrokerStatistics {
        BrokerStatistics(
            connections: counters.connections.value, connectionsAccepted: counters.connectionsAccepted.value,
            connectionsRefused: counters.connectionsRefused.value, sessions: sessions.count,
            subscriptions: router.subscriptionCount, retainedMessages: retained.count,
            messagesReceived: counters.messagesReceived.value, messagesSent: counters.messagesSent.value,
            messagesDropped: counters.messagesDropped.value, bytesReceived: counters.bytesReceived.value,
            bytesSent: counters.bytesSent.value, publishersHeld: counters.publishersHeld.value,
            subscribersStalled: counters.subscribersStalled.value, violations: counters.violations.value)
    }

    /// Brings the retained values up to date, for a client that subscribes now.
    func refreshSystemTopics() {
        for message in systemMessages() { _ = retained.store(message) }
    }

    /// Publishes what has changed.
    func publishSystemTopics(on loop: BrokerLoop) {
        for message in systemMessages() {
            var publication = Publication(message)
            publish(&publication, on: loop)
        }
    }

    private func systemMessages() -> [Message] {
        guard config.systemTopicInterval > .zero else { return [] }
        return system.changes(statistics).map { topic, value in
            let content = MessageContent(topic: topic, payload: ByteBuffer(string: value), properties: .init())
            return Message(content, qos: .atMostOnce, retain: true)
        }
    }
}
