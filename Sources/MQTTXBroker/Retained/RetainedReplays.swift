import DequeModule
import MQTTCore

/// Subscriptions that still wait for their retained messages, each once.
///
/// Messages are looked up when the client has taken those before them, so that it is subscriptions that wait and not all
/// their messages: filters that overlap would multiply those.
struct RetainedReplays {
    /// As many messages are sent without waiting; and what waits is looked up when fewer do.
    static let messagesAtOnce = 1000

    private var filters = Deque<TopicFilter>()
    private var known: Set<UTF8Key> = []

    var isEmpty: Bool { filters.isEmpty }

    mutating func append(_ filter: TopicFilter) {
        if known.insert(UTF8Key(filter.string)).inserted { filters.append(filter) }
    }

    mutating func popFirst() -> TopicFilter? {
        guard let filter = filters.popFirst() else { return nil }
        known.remove(UTF8Key(filter.string))
        return filter
    }
}
