internal import Logging
package import MQTTCore
package import NIOCore
internal import Synchronization

/// What a layer above holds of the client that holds the layer through its subscriptions: what it sends goes out as long as
/// there is a connection, and neither keeps the other alive.
///
/// The client itself is not referred to weakly, since each count of references to it would cost twice as much; its core is,
/// which is counted more rarely.
package final class ClientLink: Sendable {
    private let outbox: Outbox
    private weak let core: ClientCore?

    init(_ core: ClientCore) {
        outbox = core.outbox
        self.core = core
    }

    /// The client's configuration; nil when it is gone.
    package var config: MQTTConfig? { core?.config }

    /// Queues a message without ever waiting: for the receive path, and for what has a deadline of its own.
    ///
    /// - Returns: nil if the queue is full, where ``enqueue(_:_:qos:properties:)`` would wait.
    /// - Throws: as ``MQTTClient/enqueue(_:_:qos:retain:properties:)``.
    package func offer(
        _ topic: String, _ payload: ByteBuffer, qos: QoS, properties: Properties
    ) throws(MQTTXError) -> PublishReceipt? {
        try outbox.offer(topic, payload, qos, properties)
    }

    /// As ``MQTTClient/enqueue(_:_:qos:retain:properties:)``.
    package func enqueue(
        _ topic: String, _ payload: ByteBuffer, qos: QoS, properties: Properties
    ) async throws -> PublishReceipt {
        try await outbox.enqueue(topic, payload, qos, false, properties)
    }

    /// Counts and tells of a message that a higher layer did not understand, or would not take.
    package func reportIgnored(topic: String, reason: String) {
        guard let core else { return }
        core.shared.withLock { $0.ignored += 1 }
        core.logger.debug("ignored a message", metadata: ["topic": "\(topic)", "reason": "\(reason)"])
        core.notify(.ignored(topic: topic, reason: reason))
    }

    package func removeObserver(_ id: UInt64) { core?.removeObserver(id) }
}
