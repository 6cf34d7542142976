public import MQTTCore
public import MQTTXClient

extension EventChannelManager {
    /// Calls a handler for every event on topics that match.
    ///
    /// Events of one topic come in order, one at a time; different topics run concurrently. Several handlers of one
    /// event run one after another, in the order registered. What can't be decoded is dropped and counted.
    ///
    /// - Parameters:
    ///   - pattern: a topic filter; `+` and `#` are wildcards.
    ///   - qos: the highest QoS at which events are to arrive.
    ///   - handler: gets the topic and the event.
    /// - Returns: what ``unsubscribe(_:)-(Subscription)`` takes.
    /// - Throws: as ``MQTTClient/subscribe(_:qos:noLocal:retainAsPublished:retainHandling:userProperties:handler:)``.
    @discardableResult
    public func subscribe(
        _ pattern: String, qos: QoS = .atLeastOnce,
        handler: @escaping @Sendable (_ topic: String, _ event: Event) async throws -> Void
    ) async throws -> Subscription {
        // Not the manager itself: the client holds the handler, and the manager holds the client.
        let decoder = EventDecoder(self)
        let subscription = try await client.subscribe(pattern, qos: qos) { message in
            if let event = decoder.event(in: message) { try await handler(message.topic, event) }
        }
        add(subscription, pattern)
        return subscription
    }

    /// Calls a handler with the data of every event, as a type of the program. What does not fit is dropped and counted.
    ///
    /// ```swift
    /// try await events.subscribe("sensors/+/temperature", as: Reading.self) { topic, reading in print(reading.value) }
    /// ```
    ///
    /// - Throws: as ``MQTTClient/subscribe(_:qos:noLocal:retainAsPublished:retainHandling:userProperties:handler:)``.
    @discardableResult
    public func subscribe<Data: Decodable & SendableMetatype>(
        _ pattern: String, as type: Data.Type, qos: QoS = .atLeastOnce,
        handler: @escaping @Sendable (_ topic: String, _ data: Data) async throws -> Void
    ) async throws -> Subscription {
        let decoder = EventDecoder(self)
        let subscription = try await client.subscribe(pattern, qos: qos) { message in
            guard let event = decoder.event(in: message), let data = decoder.decode(event, as: Data.self) else {
                return
            }
            try await handler(message.topic, data)
        }
        add(subscription, pattern)
        return subscription
    }

    /// The events on topics that match, as a stream: `for try await (topic, event) in events.stream("sensors/#") { … }`.
    ///
    /// The subscription is made when iteration begins and ends with it. A slow reader slows the broker down as a slow
    /// handler does.
    public func stream(_ pattern: String, qos: QoS = .atLeastOnce) -> EventStream {
        EventStream(messages: client.messages(pattern, qos: qos), decoder: EventDecoder(self))
    }
}
