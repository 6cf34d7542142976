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

    var isGiven: Bool { payload != nil || qos != nil || retain || delay != nil }

    func will(_ properties: [PropertyAssignment]) throws -> Will? {
        guard let topic else { return nil }
        var will = Will(
            topic: topic, payload: ByteBuffer(string: payload ?? ""), qos: qos ?? .atMostOnce, retain: retain)
        will.properties.willDelayInterval = delay
        for property in properties where property.packet == .will { try property.apply(to: &will.properties) }
        return will
    }
}
