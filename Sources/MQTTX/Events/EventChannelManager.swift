internal import MQTTCore
public import MQTTXClient
public import MQTTXProtocol
internal import Synchronization

/// Broadcasts events and hears those of others: one way, to whoever listens.
///
/// ```swift
/// let events = EventChannelManager(client)
/// try await events.subscribe("sensors/+/temperature") { topic, event in print(topic, event.data["value"]) }
/// try await events.publish(
///     "sensors/room1/temperature", EventMessage(eventType: "temperature.changed", data: ["value": 25.5]))
/// ```
public final class EventChannelManager: Sendable {
    /// The client that carries the messages.
    public let client: MQTTClient
    let coder: MessageCoder
    let form: MessageForm?
    /// By the pattern's bytes: Swift takes strings for equal that are two filters in MQTT (MQTT-4.7.3-4).
    private let subscriptions = Mutex<[[UInt8]: [Subscription]]>([:])

    /// - Parameters:
    ///   - client: carries the messages; it need not be connected yet.
    ///   - codec: how messages become bytes; peers must use the same.
    ///   - form: the form to send in; nil for what the connection allows. All forms are read.
    public init(_ client: MQTTClient, codec: any Codec = .json, form: MessageForm? = nil) {
        self.client = client
        self.form = form
        coder = MessageCoder(codec)
    }

    func add(_ subscription: Subscription, _ pattern: String) {
        subscriptions.withLock { $0[Array(pattern.utf8), default: []].append(subscription) }
    }

    /// Removes all handlers of a pattern that this manager registered.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/connectionTimeout`` if the broker does not answer; the handlers are gone
    ///   all the same. A pattern nobody has subscribed to is no error.
    public func unsubscribe(_ pattern: String) async throws {
        for subscription in subscriptions.withLock({ $0.removeValue(forKey: Array(pattern.utf8)) }) ?? [] {
            try await subscription.cancel()
        }
    }

    /// Removes one handler.
    ///
    /// - Throws: as ``unsubscribe(_:)-(String)``.
    public func unsubscribe(_ subscription: Subscription) async throws {
        subscriptions.withLock { subscriptions in
            let key = Array(subscription.filter.utf8)
            subscriptions[key]?.removeAll { $0.id == subscription.id }
            if subscriptions[key]?.isEmpty == true { subscriptions[key] = nil }
        }
        try await subscription.cancel()
    }
}
