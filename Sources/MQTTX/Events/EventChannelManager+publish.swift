public import MQTTCore
internal import MQTTXClient
public import MQTTXProtocol
internal import NIOCore

extension EventChannelManager {
    /// Publishes a structured event.
    ///
    /// - Parameters:
    ///   - topic: a topic name.
    ///   - event: what happened.
    ///   - qos: how often it is to be delivered. At QoS 0 this returns when the event is written, at 1 and 2 when the
    ///     broker has it.
    ///   - retain: whether the broker keeps it for those who subscribe later.
    /// - Throws: `MQTTXError` as ``MQTTClient/publish(_:_:qos:retain:properties:)``, and ``ErrorCode/encodingFailed``.
    public func publish(
        _ topic: String, _ event: EventMessage, qos: QoS = .atMostOnce, retain: Bool = false
    ) async throws {
        try await send(topic, coder.encode(event, as: try presentForm()), qos, retain)
    }

    /// Publishes a raw value: an object as it is, anything else as `{"data": value}`.
    ///
    /// - Throws: `MQTTXError` as ``MQTTClient/publish(_:_:qos:retain:properties:)``, and ``ErrorCode/encodingFailed``.
    public func publish(
        _ topic: String, _ value: JSONValue, qos: QoS = .atMostOnce, retain: Bool = false
    ) async throws {
        try await send(topic, coder.encode(rawEvent: value, as: try presentForm()), qos, retain)
    }

    /// Publishes a value of the program: as it is if it encodes as an object, otherwise as `{"data": value}`.
    ///
    /// - Throws: `MQTTXError` as ``MQTTClient/publish(_:_:qos:retain:properties:)``, and ``ErrorCode/encodingFailed``,
    ///   with what its `encode(to:)` threw as the cause.
    @_disfavoredOverload
    public func publish(
        _ topic: String, _ value: some Encodable, qos: QoS = .atMostOnce, retain: Bool = false
    ) async throws {
        try await publish(topic, coder.value(encoding: value).json(), qos: qos, retain: retain)
    }

    /// Before the first connection the version is that of the configuration; on 3.1.1 properties are not sent.
    private func presentForm() throws(MQTTXError) -> MessageForm {
        try MessageForm.choose(form, client.protocolVersion ?? client.config.version ?? .v5)
    }

    private func send(
        _ topic: String, _ encoded: (payload: ByteBuffer, properties: Properties), _ qos: QoS, _ retain: Bool
    ) async throws {
        try await client.publish(
            topic, encoded.payload, qos: qos, retain: retain, properties: encoded.properties)
    }
}
