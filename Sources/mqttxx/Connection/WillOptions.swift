import ArgumentParser
import MQTTX

/// What the broker publishes when the connection ends without a DISCONNECT.
struct WillOptions: ParsableArguments {
    @Option(name: .customLong("will-topic"), parsing: .unconditional, help: "The topic of the will.")
    var topic: String?

    @Option(
        name: [.customLong("will-payload"), .customLong("will-message")], parsing: .unconditional,
        help: "The payload of the will.")
    var payload: String?

    @Option(name: .customLong("will-qos"), help: "The QoS of the will. (default: 0)")
    var qos: QoS?

    @Flag(name: .customLong("will-retain"), help: "Have the will retained.")
    var retain = false

    @Option(name: .customLong("will-delay-interval"), help: "Seconds that the broker waits with the will.")
    var delay: UInt32?

    @Option(name: .customLong("will-content-type"), parsing: .unconditional, help: "MQTT 5.0: what its payload is.")
    var contentType: String?

    @Option(name: .customLong("will-response-topic"), parsing: .unconditional, help: "MQTT 5.0: where to answer it.")
    var responseTopic: String?

    @Option(
        name: .customLong("will-correlation-data"), parsing: .unconditional,
        help: "MQTT 5.0: what an answer to it carries back.")
    var correlationData: String?

    @Option(
        name: .customLong("will-message-expiry-interval"),
        help: "MQTT 5.0: seconds that it may wait for a subscriber.")
    var messageExpiry: UInt32?

    @Flag(name: .customLong("will-payload-format-indicator"), help: "MQTT 5.0: its payload is text in UTF-8.")
    var isText = false

    @Option(
        name: [.customLong("will-user-property"), .customLong("will-user-properties")],
        parsing: .unconditionalSingleValue, help: "MQTT 5.0: a user property of it, NAME:VALUE.")
    var userProperty: [NamedValue] = []

    var isGiven: Bool {
        payload != nil || qos != nil || retain || isText || !userProperty.isEmpty || contentType != nil
            || responseTopic != nil || correlationData != nil || delay != nil || messageExpiry != nil
    }

    func will(_ properties: [PropertyAssignment]) throws -> Will? {
        guard let topic else { return nil }
        var will = Will(
            topic: topic, payload: ByteBuffer(string: payload ?? ""), qos: qos ?? .atMostOnce, retain: retain)
        will.properties.willDelayInterval = delay
        will.properties.contentType = contentType
        will.properties.responseTopic = responseTopic
        will.properties.correlationData = correlationData.map { ByteBuffer(string: $0) }
        will.properties.messageExpiryInterval = messageExpiry
        will.properties.payloadFormatIndicator = isText ? 1 : nil
        will.properties.userProperties = userProperty.map { UserProperty($0.name, $0.value) }
        for property in properties where property.packet == .will { try property.apply(to: &will.properties) }
        return will
    }
}
