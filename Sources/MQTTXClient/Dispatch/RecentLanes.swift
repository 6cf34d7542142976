internal import MQTTCore

/// The lanes of the topics that came lately. The decoder gives a topic that it has seen lately as one and the same string, so
/// that no byte of it is looked at here.
struct RecentLanes {
    private struct Slot {
        // Held, so that no other string comes to lie where it lies.
        var topic = ""
        var lane: TopicLane?
    }

    private static let slotCount = 256
    private static let longestTopic = 256

    /// Empty until the first topic comes.
    private var slots: [Slot] = []

    @inline(__always)
    func lane(of topic: String) -> TopicLane? {
        guard !slots.isEmpty else { return nil }
        let identity = StringIdentity(topic)
        let slot = slots[Self.index(identity)]
        return StringIdentity(slot.topic) == identity ? slot.lane : nil
    }

    mutating func insert(_ lane: TopicLane, for topic: String) {
        guard topic.utf8.count <= Self.longestTopic else { return }
        if slots.isEmpty { slots = Array(repeating: Slot(), count: Self.slotCount) }
        slots[Self.index(StringIdentity(topic))] = Slot(topic: topic, lane: lane)
    }

    @inline(__always)
    private static func index(_ identity: StringIdentity) -> Int { Int(identity.quickHash >> 56) }
}
