/// A topic filter: which topics a subscription is for (section 4.7), with its group when the subscription is shared (section 4.8).
///
/// `$share/<group>/<filter>` is read as a shared subscription in both versions of MQTT, as brokers do.
public struct TopicFilter: Hashable, Sendable, CustomStringConvertible {
    /// All of it, as it goes into a SUBSCRIBE.
    public let string: String
    /// The group of a shared subscription, or nil.
    public let shareName: String?
    /// What topics are matched against: ``string`` without `$share/<group>/`.
    public let filter: String
    /// Whether there is a `+` or `#` in it.
    public let hasWildcards: Bool

    /// Checks a filter by the specification's rules.
    ///
    /// - Throws: `MQTTXError` with code `.invalidTopic` (`.invalidUTF8` for U+0000) and reason code 0x8F, whose message
    ///   says what is misplaced.
    public init(_ string: String) throws(MQTTXError) {
        let length = string.utf8.count
        guard length > 0 else { throw Self.error("topic filter is empty") }
        guard length <= TopicName.maximumLength else {
            throw Self.error("topic filter has \(length) bytes, more than \(TopicName.maximumLength)")
        }
        self.string = string
        if string.utf8.starts(with: "$share/".utf8) {
            let (group, filter) = try Self.splitShared(string)
            shareName = group
            self.filter = filter
        } else {
            shareName = nil
            filter = string
        }
        switch filter.withBytes(Self.check) {
        case .success(let hasWildcards): self.hasWildcards = hasWildcards
        case .failure(let fault): throw fault.error(string)
        }
    }

    /// Whether messages published to the topic are for this filter. Wildcards at the first level don't match topics
    /// that begin with `$` (MQTT-4.7.2-1).
    public func matches(_ topicName: String) -> Bool {
        filter.withBytes { filter in topicName.withBytes { topic in Self.matches(filter, topic) } }
    }

    /// The filter as it was written.
    public var description: String { string }

    /// By bytes: what Swift takes for the same text may be two filters (MQTT-4.7.3-4).
    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.string.hasSameBytes(as: rhs.string) }

    /// By its UTF-8 bytes, as equality is.
    public func hash(into hasher: inout Hasher) { string.withBytes { hasher.combine(bytes: $0) } }
}

extension TopicFilter {
    private enum Fault: Error {
        case null, hashNotAlone, hashNotLast, plusNotAlone

        func error(_ filter: String) -> MQTTXError {
            switch self {
            case .null:
                MQTTXError(.invalidUTF8, "topic filter contains U+0000", reasonCode: .topicFilterInvalid)
            case .hashNotAlone:
                TopicFilter.error("topic filter '\(filter)' has a misplaced #: it must be a level of its own")
            case .hashNotLast:
                TopicFilter.error("topic filter '\(filter)' has a misplaced #: it must be the last level")
            case .plusNotAlone:
                TopicFilter.error("topic filter '\(filter)' has a misplaced +: it must be a level of its own")
            }
        }
    }

    private static func error(_ message: String) -> MQTTXError {
        MQTTXError(.invalidTopic, message, reasonCode: .topicFilterInvalid)
    }

    private static func splitShared(_ string: String) throws(MQTTXError) -> (group: String, filter: String) {
        let rest = string.utf8.dropFirst("$share/".utf8.count)
        let group = rest.prefix { $0 != .levelSeparator }
        let filter = rest[group.endIndex...].dropFirst()
        guard !group.isEmpty else { throw error("shared subscription '\(string)' has no group name") }
        guard !group.contains(where: { $0 == .singleLevelWildcard || $0 == .multiLevelWildcard }) else {
            throw error("shared subscription '\(string)' has a wildcard in its group name")
        }
        guard !filter.isEmpty else { throw error("shared subscription '\(string)' has no topic filter") }
        return (String(decoding: group, as: UTF8.self), String(decoding: filter, as: UTF8.self))
    }

    /// Whether there are wildcards, or what is wrong (MQTT-4.7.1-1, MQTT-4.7.1-2, MQTT-4.7.3-2).
    private static func check(_ bytes: UnsafeRawBufferPointer) -> Result<Bool, Fault> {
        var hasWildcards = false
        for (index, byte) in bytes.enumerated() {
            guard byte != 0 else { return .failure(.null) }
            guard byte == .singleLevelWildcard || byte == .multiLevelWildcard else { continue }
            hasWildcards = true
            let isLast = index == bytes.count - 1
            let isAlone =
                (index == 0 || bytes[index - 1] == .levelSeparator) && (isLast || bytes[index + 1] == .levelSeparator)
            if byte == .multiLevelWildcard {
                guard isAlone else { return .failure(.hashNotAlone) }
                guard isLast else { return .failure(.hashNotLast) }
            } else if !isAlone {
                return .failure(.plusNotAlone)
            }
        }
        return .success(hasWildcards)
    }

    private static func matches(_ filter: UnsafeRawBufferPointer, _ topic: UnsafeRawBufferPointer) -> Bool {
        guard let first = filter.first, let topicFirst = topic.first else { return false }
        if topicFirst == UInt8(ascii: "$"), first == .multiLevelWildcard || first == .singleLevelWildcard {
            return false
        }
        var f = 0
        var t = 0
        while true {
            if f < filter.count, filter[f] == .multiLevelWildcard { return true }
            if f < filter.count, filter[f] == .singleLevelWildcard {
                f += 1
                while t < topic.count, topic[t] != .levelSeparator { t += 1 }
            } else {
                while f < filter.count, t < topic.count, filter[f] == topic[t], filter[f] != .levelSeparator {
                    f += 1
                    t += 1
                }
            }
            let topicEnds = t == topic.count
            if f == filter.count { return topicEnds }
            guard filter[f] == .levelSeparator else { return false }
            if topicEnds { return f + 2 == filter.count && filter[f + 1] == .multiLevelWildcard }
            guard topic[t] == .levelSeparator else { return false }
            f += 1
            t += 1
        }
    }
}
