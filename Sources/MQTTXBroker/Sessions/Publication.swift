import MQTTCore
import NIOCore

/// A message on its way to its receivers.
struct Publication {
    let content: MessageContent
    let qos: QoS
    let retain: Bool
    /// The session that published it, for No Local (MQTT-3.8.3-3).
    let origin: Session?
    private var kept: Message?

    init(_ content: MessageContent, qos: QoS, retain: Bool, origin: Session?) {
        self.content = content
        self.qos = qos
        self.retain = retain
        self.origin = origin
    }

    init(_ message: Message, origin: Session? = nil) {
        content = message.content
        qos = message.qos
        retain = message.retain
        self.origin = origin
        kept = message
    }

    /// The message in a form that can be kept; made when the first receiver has to keep it.
    mutating func message() -> Message {
        if let kept { return kept }
        let message = Message(content, qos: qos, retain: retain)
        kept = message
        return message
    }
}
