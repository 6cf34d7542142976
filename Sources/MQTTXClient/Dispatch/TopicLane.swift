internal import DequeModule

/// The messages of one topic, in the order received. At most one worker has a lane at a time: that is what keeps the order.
final class TopicLane: @unchecked Sendable {
    // Unchecked, also for exclusive access, which every message would pay for: all up to `filled` belongs to the event loop,
    // the rest is guarded by the dispatch queue's lock.

    let topic: String
    /// The subscriptions that match the topic, as of `generation` of the registry.
    @exclusivity(unchecked)
    var route: [Route] = []
    @exclusivity(unchecked)
    var generation: UInt64 = .max
    /// All handlers of the route that run on workers, as long as no subscription identifier tells them apart.
    @exclusivity(unchecked)
    var handlers: [HandlerEntry] = []
    @exclusivity(unchecked)
    var handlersOnReceipt: [HandlerEntry] = []
    /// Whether one subscription matches and all its handlers run on workers: the usual case.
    @exclusivity(unchecked)
    var isPlain = false
    /// What came since the last hand-over: the batch being filled, and those before it.
    @exclusivity(unchecked)
    var incoming: Batch?
    @exclusivity(unchecked)
    var filled: [Batch] = []

    @exclusivity(unchecked)
    var batches = Deque<Batch>()
    @exclusivity(unchecked)
    var isScheduled = false
    /// How many messages a worker takes at once: many of quick handlers, one of slow ones.
    @exclusivity(unchecked)
    var turnLength = 1

    init(topic: String) { self.topic = topic }
}

/// A subscription that matches a topic.
struct Route: Sendable {
    /// What the broker puts in a message for it; 0 for none.
    let identifier: UInt32
    let handlers: [HandlerEntry]
}
