package import MQTTCore
package import NIOCore
internal import Synchronization

/// What the layers above need beside the public API.
extension MQTTClient {
    /// What happens to the connection, for higher layers.
    package enum ConnectionEvent: Sendable {
        case connected(ServerCapabilities)
        /// The connection is lost; another is sought if `willReconnect`.
        case disconnected(willReconnect: Bool, MQTTXError)
    }

    /// Tells of connections and their ends, on the thread where they happen; the body must return at once.
    ///
    /// - Returns: what ``removeObserver(_:)`` takes.
    package func observe(_ body: @escaping @Sendable (ConnectionEvent) -> Void) -> UInt64 {
        core.shared.withLock { shared in
            shared.nextObserverID += 1
            shared.observers[shared.nextObserverID] = { event in
                switch event {
                case .connected(let server): body(.connected(server))
                case .disconnected(let willReconnect, let error):
                    body(.disconnected(willReconnect: willReconnect, error))
                }
            }
            return shared.nextObserverID
        }
    }

    package func removeObserver(_ id: UInt64) { core.removeObserver(id) }

    /// What a call has to know of ``server``, of which it would be much to copy.
    package var endpoint: (version: ProtocolVersion, clientID: String)? {
        core.shared.withLock { shared in shared.server.map { ($0.version, $0.clientID) } }
    }

    /// Another one whenever a subscription has come or gone, as one does that the broker refused.
    package var subscriptionGeneration: UInt64 { core.registry.generation.load(ordering: .acquiring) }

    /// For what the client holds through its subscriptions.
    package var link: ClientLink { ClientLink(core) }

    /// Hands messages to a sink, without waiting for the broker's word; ``Subscription/granted(within:)`` does that.
    package func subscribeAtOnce(_ filter: String, _ sink: MessageSink) throws(MQTTXError) -> Subscription {
        try core.subscribe(
            try TopicFilter(filter), terms: SubscriptionTerms(options: SubscriptionOptions(qos: .atLeastOnce)),
            action: .onReceipt(sink.receive, isExclusive: sink.isExclusive))
    }

    /// Where timers of higher layers run.
    package var eventLoop: any EventLoop { core.eventLoop }

    /// A call begins to wait for a message: while any does, reading goes on into the reserve.
    package func beginAwaiting() {
        outbox.pendingCalls.add(1, ordering: .relaxed)
    }

    package func endAwaiting() { outbox.pendingCalls.subtract(1, ordering: .relaxed) }
}
