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
    /// What a handler throws is logged and counted. A handler may publish, subscribe and call freely.
    ///
    /// - Parameters:
    ///   - filter: a topic filter; `+` and `#` are wildcards, `$share/<group>/…` is shared (sections 4.7 and 4.8).
    ///   - qos: the highest QoS at which messages are to arrive.
    ///   - noLocal: don't send what this client itself publishes (MQTT 5.0).
    ///   - retainAsPublished: keep the RETAIN flag as it was published (MQTT 5.0).
    ///   - retainHandling: which retained messages come (MQTT 5.0).
    ///   - blocking: whether the handler blocks its thread and so has to run on a thread pool; it must not suspend then.
    ///   - handler: called on a worker.
    /// - Throws: ``MQTTXError``: ``ErrorCode/invalidTopic`` for a filter that breaks the rules,
    ///   ``ErrorCode/subscribeFailed`` or ``ErrorCode/permissionDenied`` if the broker refuses,
    ///   ``ErrorCode/connectionTimeout`` if it does not answer; `CancellationError`.
    @discardableResult
    public func subscribe(
        _ filter: String, qos: QoS = .atLeastOnce, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .sendAtSubscribe,
        handler: @escaping @Sendable (MQTTMessage) async throws -> Void
    ) async throws -> Subscription {
        try await subscribe(
            filter,
            SubscriptionOptions(
                qos: qos, noLocal: noLocal, retainAsPublished: retainAsPublished, retainHandling: retainHandling),
            .concurrent(handler))
    }

    /// Calls a handler with topic and payload, as in Python.
    @discardableResult
    public func subscribe(
        _ filter: String, qos: QoS = .atLeastOnce,
        handler: @escaping @Sendable (String, ByteBuffer) async throws -> Void
    ) async throws -> Subscription {
        try await subscribe(
            filter, SubscriptionOptions(qos: qos), .concurrent { try await handler($0.topic, $0.payload) })
    }

    /// Calls a handler that blocks its thread: it runs on a thread pool, and holds up nobody but its own topic.
    @discardableResult
    public func subscribe(
        _ filter: String, qos: QoS = .atLeastOnce, blocking: Bool,
        handler: @escaping @Sendable (MQTTMessage) throws -> Void
    ) async throws -> Subscription {
        try await subscribe(
            filter, SubscriptionOptions(qos: qos),
            blocking ? .blocking(handler) : .concurrent { try handler($0) })
    }

    /// Hands messages to a sink on the receive path; how RPC connects itself.
    @discardableResult
    public func subscribe(_ filter: String, qos: QoS = .atLeastOnce, _ sink: MessageSink) async throws -> Subscription {
        try await subscribe(
            filter, SubscriptionOptions(qos: qos), .onReceipt(sink.receive, isExclusive: sink.isExclusive))
    }

    private func subscribe(
        _ filter: String, _ options: SubscriptionOptions, _ action: HandlerEntry.Action
    ) async throws -> Subscription {
        let filter = try TopicFilter(filter)
        let subscription = try core.subscribe(filter, options: options, action: action)
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
    /// - Throws: ``MQTTXError`` with ``ErrorCode/connectionTimeout`` if the broker does not answer; the handlers are gone
    ///   all the same. A filter nobody has subscribed to is no error.
    public func unsubscribe(_ filter: String) async throws {
        if core.registry.remove(filter) { try await core.unsubscribe(filter) }
    }

    /// Removes one handler, as ``Subscription/cancel()`` does.
    public func unsubscribe(_ subscription: Subscription) async throws { try await subscription.cancel() }
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
