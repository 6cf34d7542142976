import MQTTCore
import NIOCore

/// A message on its way to its receivers.
struct Publication {
    let qos: QoS
    let retain: Bool
    /// The session that published it, for No Local (MQTT-3.8.3-3).
    let origin: Session?
    /// Of a message that is kept already, the topic alone.
    private let content: MessageContent
    private var kept: Message?

    init(_ content: MessageContent, qos: QoS, retain: Bool, origin: Session?) {
        self.content = content
        self.qos = qos
        self.retain = retain
        self.origin = origin
    }

    init(_ message: Message, origin: Session? = nil) {
        content = MessageContent(topic: message.topic, payload: ByteBuffer(), properties: .init())
        qos = message.qos
        retain = message.retain
        self.origin = origin
        kept = message
    }

    var topic: String { content.topic }

    /// The message in a form that can be kept; made when the first receiver has to keep it.
    mutating func message() -> Message {
        if let kept { return kept }
        let message = Message(content, qos: qos, retain: retain)
        kept = message
        return message
    }

    /// Appends it to what a client is sent, as ``OutputBuffer/write(_:_:)`` does.
    @inline(__always)
    func write(_ writer: PublishWriter, to output: inout OutputBuffer) -> Bool {
        if let kept { return output.write(writer, kept) }
        return output.write(writer, content)
    }
}
