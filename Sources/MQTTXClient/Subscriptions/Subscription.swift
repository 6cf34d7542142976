public import MQTTCore

/// A handler that is registered for a topic filter. Letting it go keeps the subscription; ``cancel()`` ends it.
public struct Subscription: Sendable, Identifiable {
    let core: ClientCore
    let entry: SubscriptionRegistry.Entry
    let handler: HandlerEntry

    /// Different for every handler of a client.
    public var id: UInt64 { handler.id }

    /// The topic filter as it was given.
    public var filter: String { entry.filter.string }

    /// The QoS that the broker granted; nil before it did.
    public var grantedQoS: QoS? { core.registry.grantedQoS(of: entry) }

    /// The broker's SUBACK, with its reason string and user properties; nil before it came.
    public var answer: BrokerAnswer? {
        guard case .granted(let answer) = core.registry.grant(of: entry) else { return nil }
        return answer
    }

    /// Whether it has neither been cancelled nor refused.
    package var isActive: Bool { core.registry.holds(handler, in: entry) }

    /// Waits until the broker has granted the subscription. Useful where it was made before the first connection.
    ///
    /// - Returns: the QoS granted.
    /// - Throws: ``MQTTXError`` with ``ErrorCode/subscribeFailed`` or ``ErrorCode/permissionDenied`` if it was refused;
    ///   `CancellationError` if the task is cancelled.
    @discardableResult
    public func granted() async throws -> QoS {
        QoS(rawValue: try await core.registry.granted(entry, timeout: nil).reasonCode.rawValue) ?? .atMostOnce
    }

    /// Waits for the broker's word for a while.
    ///
    /// - Throws: as ``granted()``, and ``ErrorCode/connectionTimeout``.
    package func granted(within timeout: Duration) async throws {
        _ = try await core.registry.granted(entry, timeout: timeout)
    }

    /// Takes the handler away; the filter's last one also ends the subscription at the broker.
    ///
    /// - Parameter userProperties: of the UNSUBSCRIBE (MQTT 5.0).
    /// - Returns: the broker's UNSUBACK; nil if none was needed, or without a connection.
    /// - Throws: ``MQTTXError`` with ``ErrorCode/connectionTimeout`` if the broker does not answer,
    ///   ``ErrorCode/subscribeFailed`` or ``ErrorCode/permissionDenied`` if it refuses; the handler is gone all the same.
    @discardableResult
    public func cancel(userProperties: [UserProperty] = []) async throws -> BrokerAnswer? {
        guard core.registry.remove(handler, from: entry) else { return nil }
        return try await core.unsubscribe(entry.filter.string, userProperties)
    }
}
