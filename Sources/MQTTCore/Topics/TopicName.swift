/// Topic names: what a message is published to (section 4.7).
public enum TopicName {
    /// The most bytes that a topic name or filter may have (MQTT-4.7.3-3).
    public static let maximumLength = 65_535

    /// Checks that a string is a topic name: 1 to 65,535 bytes of UTF-8, no wildcards, no U+0000.
    ///
    /// - Throws: `MQTTXError` with code `.invalidTopic` (`.invalidUTF8` for U+0000), reason code 0x90.
    public static func validate(_ topic: String) throws(MQTTXError) {
        let fault = topic.withBytes { Self.fault(in: $0) }
        if let fault { throw error(fault, topic) }
    }

    /// Whether only the server publishes to a topic: those under `$SYS`, but for those by which a bridge tells whether it is
    /// connected, `$SYS/broker/connection/NAME/state`.
    package static func belongsToServer(_ topic: String) -> Bool {
        guard topic.utf8.starts(with: "$SYS".utf8) else { return false }
        let levels = topic.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return levels.count != 5 || !topic.utf8.starts(with: "$SYS/broker/connection/".utf8)
            || !levels[4].elementsEqual("state".utf8)
    }

    enum Fault { case empty, tooLong, wildcard, null }

    @inline(__always)
    static func fault(in bytes: UnsafeRawBufferPointer) -> Fault? {
        if bytes.isEmpty { return .empty }
        if bytes.count > maximumLength { return .tooLong }
        guard bytes.contains(0, or: .multiLevelWildcard, or: .singleLevelWildcard) else { return nil }
        let first = bytes.first { $0 == 0 || $0 == .multiLevelWildcard || $0 == .singleLevelWildcard }
        return first == 0 ? .null : .wildcard
    }

    @inline(never)
    static func error(_ fault: Fault, _ topic: String) -> MQTTXError {
        switch fault {
        case .empty: .invalidTopicName("topic name is empty")
        case .tooLong: .invalidTopicName("topic name has \(topic.utf8.count) bytes, more than \(maximumLength)")
        case .wildcard: .invalidTopicName("topic name '\(topic)' contains a wildcard")
        case .null: MQTTXError(.invalidUTF8, "topic name contains U+0000", reasonCode: .topicNameInvalid)
        }
    }

    static func hasWildcard(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.contains(.multiLevelWildcard, or: .singleLevelWildcard, or: .singleLevelWildcard)
    }
}
