public import MQTTCore
public import NIOCore

extension MQTTClient {
    /// Calls a handler for every message that matches a topic filter.
    ///
    /// Connected, this returns once the broker has granted the subscription. Before a connection it returns at once, and
    /// the subscription is made when there is one; ``Subscription/granted()`` waits for it. A subscription is restored
    /// after every reconnect.
    ///
    /// Messages of one topic reach a handler in the order received, one at a time; different topics run concurrently.
    /// What a handler throws is logged and counted. A handler may publish, subscribe and call freely. Several handlers of
    /// one filter share a subscription: the highest `qos` and the latest of the other options hold.
    ///
    /// - Parameters:
    ///   - filter: a topic filter; `+` and `#` are wildcards, `$share/<group>/…` is shared (sections 4.7 and 4.8).
    ///   - qos: the highest QoS at which messages are to arrive.
    ///   - noLocal: don't send what this client itself publishes (MQTT 5.0); not with a shared one (MQTT-3.8.3-4).
    ///   - retainAsPublished: keep the RETAIN flag as it was published (MQTT 5.0).
    ///   - retainHandling: which retained messages come (MQTT 5.0).
    ///   - userProperties: of the SUBSCRIBE (MQTT 5.0).
    ///   - handler: called on a worker.
    /// - Throws: ``MQTTXError``: ``ErrorCode/invalidTopic`` for a filter that breaks the rules,
    ///   ``ErrorCode/subscribeFailed`` or ``ErrorCode/permissionDenied`` if the broker refuses, or has said that it does
    ///   not offer this; ``ErrorCode/connectionTimeout`` if it does not answer; `CancellationError`. The handler is gone
    ///   then.
    @discardableResult
    public func subscribe(
        _ filter: String, qos: QoS = .atLeastOnce, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .sendAtSubscribe, userProperties: [UserProperty] = [],
        handler: @escaping @Sendable (MQTTMessage) async throws -> Void
    ) async throws -> Subscription {
        let options = SubscriptionOptions(
            qos: qos, noLocal: noLocal, retainAsPublished: retainAsPublished, retainHandling: retainHandling)
        return try await subscribe(
            filter, SubscriptionTerms(options: options, userProperties: userProperties), .concurrent(handler))
    }

    /// Calls a handler with topic and payload, as in Python.
    ///
    /// - Parameters:
    ///   - filter: a topic filter.
    ///   - qos: the highest QoS at which messages are to arrive.
    ///   - handler: called on a worker.
    /// - Throws: as ``subscribe(_:qos:noLocal:retainAsPublished:retainHandling:userProperties:handler:)``.
    @discardableResult
    public func subscribe(
        _ filter: String, qos: QoS = .atLeastOnce,
        handler: @escaping @Sendable (String, ByteBuffer) async throws -> Void
    ) async throws -> Subscription {
        try await subscribe(
            filter, SubscriptionTerms(options: SubscriptionOptions(qos: qos)),
            .concurrent { try await handler($0.topic, $0.payload) })
    }

    /// Calls a handler that blocks its thread: it runs on a thread pool, and holds up nobody but its own topic.
    ///
    /// - Parameters:
    ///   - filter: a topic filter.
    ///   - qos: the highest QoS at which messages are to arrive.
    ///   - blocking: whether it blocks; otherwise it runs as others do.
    ///   - handler: must not suspend.
    /// - Throws: as ``subscribe(_:qos:noLocal:retainAsPublished:retainHandling:userProperties:handler:)``.
    @discardableResult
    public func subscribe(
        _ filter: String, qos: QoS = .atLeastOnce, blocking: Bool,
        handler: @escaping @Sendable (MQTTMessage) throws -> Void
    ) async throws -> Subscription {
        try await subscribe(
            filter, SubscriptionTerms(options: SubscriptionOptions(qos: qos)),
            blocking ? .blocking(handler) : .concurrent { try handler($0) })
    }

    /// Hands messages to a sink on the receive path; how RPC connects itself.
    ///
    /// - Parameters:
    ///   - filter: a topic filter.
    ///   - qos: the highest QoS at which messages are to arrive.
    ///   - sink: takes them.
    /// - Throws: as ``subscribe(_:qos:noLocal:retainAsPublished:retainHandling:userProperties:handler:)``, and
    ///   ``ErrorCode/subscribeFailed`` for a second RPC endpoint on one topic of a client.
    @discardableResult
    public func subscribe(_ filter: String, qos: QoS = .atLeastOnce, _ sink: MessageSink) async throws -> Subscription {
        try await subscribe(
            filter, SubscriptionTerms(options: SubscriptionOptions(qos: qos)),
            .onReceipt(sink.receive, isExclusive: sink.isExclusive))
    }

    func subscribe(
        _ filter: String, _ terms: SubscriptionTerms, _ action: HandlerEntry.Action,
        ended: (@Sendable (MQTTXError?) -> Void)? = nil
    ) async throws -> Subscription {
        let filter = try TopicFilter(filter)
        if terms.options.noLocal, filter.shareName != nil {
            throw MQTTXError(
                .subscribeFailed, "a shared subscription can't leave out one's own messages (MQTT-3.8.3-4)")
        }
        let subscription = try core.subscribe(filter, terms: terms, action: action, ended: ended)
        guard isConnected else { return subscription }
        do {
            _ = try await core.registry.granted(subscription.entry, timeout: core.config.operationTimeout)
            return subscription
        } catch {
            if core.registry.remove(subscription.handler, from: subscription.entry) {
                core.unsubscribeWithoutAnswer([filter.string])
            }
            throw error
        }
    }

    /// Removes all handlers of a topic filter and ends the subscription at the broker.
    ///
    /// - Parameters:
    ///   - filter: as it was subscribed to. One that nobody has subscribed to is no error.
    ///   - userProperties: of the UNSUBSCRIBE (MQTT 5.0).
    /// - Returns: the broker's UNSUBACK; nil if none was needed, or without a connection.
    /// - Throws: ``MQTTXError`` with ``ErrorCode/connectionTimeout`` if the broker does not answer,
    ///   ``ErrorCode/subscribeFailed`` or ``ErrorCode/permissionDenied`` if it refuses; the handlers are gone all the same.
    @discardableResult
    public func unsubscribe(_ filter: String, userProperties: [UserProperty] = []) async throws -> BrokerAnswer? {
        guard core.registry.remove(filter) else { return nil }
        return try await core.unsubscribe(filter, userProperties)
    }

    /// Removes one handler, as ``Subscription/cancel(userProperties:)`` does, and throws what that throws.
    @discardableResult
    public func unsubscribe(_ subscription: Subscription) async throws -> BrokerAnswer? {
        try await subscription.cancel()
    }
}

/// Takes messages on the receive path: it is called on the event loop, in the order received, before any handler, and
/// must return at once. The message counts as accepted when it returns.
public struct MessageSink: Sendable {
    let receive: @Sendable (MQTTMessage) -> Void
    let isExclusive: Bool

    /// - Parameter receive: must neither block nor take long: the whole connection waits for it.
    public init(_ receive: @escaping @Sendable (MQTTMessage) -> Void) {
        self.receive = receive
        isExclusive = false
    }

    /// A sink that shares no topic with another such sink: subscribing the second one is an error.
    package init(exclusive receive: @escaping @Sendable (MQTTMessage) -> Void) {
        self.receive = receive
        isExclusive = true
    }

    /// Hands a message in by hand.
    public func callAsFunction(_ message: MQTTMessage) { receive(message) }
}
