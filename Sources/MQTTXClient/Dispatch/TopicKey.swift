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

extension String {
    /// Equality of the UTF-8 bytes.
    func hasSameBytes(as other: String) -> Bool {
        let isSame = utf8.withContiguousStorageIfAvailable { own in
            other.utf8.withContiguousStorageIfAvailable { other in
                own.count == other.count && (own.baseAddress == other.baseAddress || own.elementsEqual(other))
            }
        }
        return (isSame ?? nil) ?? utf8.elementsEqual(other.utf8)
    }
}
