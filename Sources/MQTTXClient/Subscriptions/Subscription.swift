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
    public var grantedQoS: QoS? {
        guard case .granted(let reasonCode) = core.registry.grant(of: entry) else { return nil }
        return QoS(rawValue: reasonCode.rawValue)
    }

    /// Waits until the broker has granted the subscription. Useful where it was made before the first connection.
    ///
    /// - Returns: the QoS granted.
    /// - Throws: ``MQTTXError`` with ``ErrorCode/subscribeFailed`` or ``ErrorCode/permissionDenied`` if it was refused;
    ///   `CancellationError` if the task is cancelled.
    @discardableResult
    public func granted() async throws -> QoS {
        QoS(rawValue: try await core.registry.granted(entry, timeout: nil).rawValue) ?? .atMostOnce
    }

    /// Waits for the broker's word for a while.
    ///
    /// - Throws: as ``granted()``, and ``ErrorCode/connectionTimeout``.
    package func granted(within timeout: Duration) async throws {
        _ = try await core.registry.granted(entry, timeout: timeout)
    }

    /// Takes the handler away; the filter's last one also ends the subscription at the broker.
    ///
    /// - Throws: ``MQTTXError`` with ``ErrorCode/connectionTimeout`` if the broker does not answer; the handler is gone
    ///   all the same.
    public func cancel() async throws {
        if core.registry.remove(handler, from: entry) { try await core.unsubscribe(entry.filter.string) }
    }
}
