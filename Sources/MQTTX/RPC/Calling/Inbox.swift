internal import MQTTCore
internal import MQTTXClient
internal import MQTTXProtocol
internal import Synchronization

/// Where responses to our calls come in: a topic and its subscription.
final class Inbox: Sendable {
    private struct State {
        var topic: String?
        /// Whose identifier the topic goes by; nil for one that was chosen.
        var clientID: String?
        var subscription: Subscription?
        /// Where the client's subscriptions stood when the broker was last known to have granted it.
        var grantedAt: UInt64?

        var isChosen: Bool { topic != nil && clientID == nil }
    }

    private let state = Mutex(State())

    /// The topic that was chosen, whose subscription may be somebody else's.
    func choose(_ topic: String, _ subscription: Subscription?) {
        state.withLock { $0 = State(topic: topic, subscription: subscription) }
    }

    /// The reply topic, and its subscription if the broker has not granted it yet; the identifier may be another after a
    /// reconnect.
    ///
    /// - Parameter generation: another one whenever a subscription may have come or gone.
    func open(
        clientID: String, generation: UInt64, _ subscribe: (String) throws(MQTTXError) -> Subscription
    ) throws(MQTTXError) -> (topic: String, ungranted: Subscription?) {
        try state.withLock { state throws(MQTTXError) in
            if let topic = state.topic {
                // Compared without making the topic anew: this is on the way of every call.
                if state.isChosen || state.clientID?.hasSameBytes(as: clientID) == true {
                    guard state.grantedAt != generation, let subscription = state.subscription else {
                        return (topic, nil)
                    }
                    if state.isChosen || subscription.isActive {
                        guard subscription.grantedQoS != nil else { return (topic, subscription) }
                        state.grantedAt = generation
                        return (topic, nil)
                    }
                }
            }
            let topic = Self.prefix + clientID
            let subscription = try subscribe(topic)
            state = State(topic: topic, clientID: clientID, subscription: subscription)
            return (topic, subscription)
        }
    }

    /// The broker refused the subscription: the next call asks again.
    func refused(_ subscription: Subscription) {
        state.withLock { state in
            guard !state.isChosen, state.subscription?.id == subscription.id else { return }
            state = State()
        }
    }

    func close() -> Subscription? {
        state.withLock { state in
            defer { state.subscription = nil }
            return state.subscription
        }
    }

    private static let prefix = "rpc/r/"
}
