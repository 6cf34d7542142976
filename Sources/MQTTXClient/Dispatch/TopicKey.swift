internal import MQTTCore

/// A topic compared by its bytes: MQTT normalizes nothing (MQTT-4.7.3-4), where Swift takes canonically equivalent strings for
/// equal.
struct TopicKey: Hashable {
    let topic: String

    static func == (lhs: Self, rhs: Self) -> Bool { lhs.topic.hasSameBytes(as: rhs.topic) }

    func hash(into hasher: inout Hasher) {
        let isDone: Void? = topic.utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        if isDone == nil { for byte in topic.utf8 { hasher.combine(byte) } }
    }
}
