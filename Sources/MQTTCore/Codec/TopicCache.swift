/// Topic names seen lately, so that a repeated one is neither validated nor allocated again.
///
/// A table with two places for each hash, the later one first; what comes third replaces the older. Bounded by
/// 256 names of 256 bytes.
struct TopicCache {
    private struct Slot {
        var hash: UInt64
        var topic: String
    }

    private static let slotCount = 256
    private static let longestCached = 256

    /// Empty until the first topic comes, so that a connection which publishes nothing pays nothing.
    private var slots: [Slot] = []

    /// The topic name in these bytes. An empty name passes: with a topic alias it is legal.
    mutating func topic(_ bytes: UnsafeRawBufferPointer) throws(MQTTXError) -> String {
        try find(bytes) { (bytes) throws(MQTTXError) in try Self.validated(bytes) }
    }

    /// The response topic in these bytes.
    ///
    /// - Parameter mustBeName: whether a string is refused that is no topic name. They are never kept.
    mutating func responseTopic(
        _ bytes: UnsafeRawBufferPointer, mustBeName: Bool
    ) throws(MQTTXError) -> String {
        if bytes.isEmpty || TopicName.hasWildcard(bytes) {
            let topic = try String(mqtt: bytes, "response topic")
            if !mustBeName { return topic }
            throw .protocolError(
                topic.isEmpty ? "response topic is empty" : "response topic '\(topic)' contains a wildcard")
        }
        return try find(bytes) { (bytes) throws(MQTTXError) in try String(mqtt: bytes, "response topic") }
    }

    @inline(__always)
    private mutating func find(
        _ bytes: UnsafeRawBufferPointer, orMake make: (UnsafeRawBufferPointer) throws(MQTTXError) -> String
    ) throws(MQTTXError) -> String {
        guard !bytes.isEmpty else { return "" }
        guard bytes.count <= Self.longestCached else { return try make(bytes) }
        if slots.isEmpty { slots = Array(repeating: Slot(hash: 0, topic: ""), count: Self.slotCount) }
        let hash = bytes.quickHash()
        let index = Int(truncatingIfNeeded: hash) & (Self.slotCount - 1)
        if slots[index].hash == hash, slots[index].topic.hasBytes(bytes) { return slots[index].topic }
        let second = index ^ 1
        if slots[second].hash == hash, slots[second].topic.hasBytes(bytes) { return slots[second].topic }
        let topic = try make(bytes)
        slots[second] = slots[index]
        slots[index] = Slot(hash: hash, topic: topic)
        return topic
    }

    private static func validated(_ bytes: UnsafeRawBufferPointer) throws(MQTTXError) -> String {
        let topic = try String(mqtt: bytes, "topic name")
        guard !TopicName.hasWildcard(bytes) else {
            throw .invalidTopicName("topic name '\(topic)' contains a wildcard")
        }
        return topic
    }
}

extension String {
    @inline(__always)
    fileprivate func hasBytes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        utf8.withContiguousStorageIfAvailable { UnsafeRawBufferPointer($0).isEqual(to: bytes) } ?? false
    }
}
