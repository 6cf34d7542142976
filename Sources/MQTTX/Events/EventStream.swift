internal import MQTTXClient

/// Events of a subscription, one after another. See ``EventChannelManager/stream(_:qos:)``.
public struct EventStream: AsyncSequence, Sendable {
    /// The topic of an event, and the event.
    public typealias Element = (topic: String, event: Event)
    /// What the stream may end with.
    public typealias Failure = any Error

    let messages: MessageStream
    let decoder: EventDecoder

    /// Every iteration has a subscription of its own.
    public func makeAsyncIterator() -> Iterator {
        Iterator(messages: messages.makeAsyncIterator(), decoder: decoder)
    }

    /// One iteration. The subscription ends when this is let go.
    public struct Iterator: AsyncIteratorProtocol {
        let messages: MessageStream.Iterator
        let decoder: EventDecoder

        /// The next event; what can't be decoded is dropped and counted.
        ///
        /// - Returns: nil when the pattern was unsubscribed.
        /// - Throws: as the iterator of ``MQTTXClient/MessageStream``; `CancellationError`.
        public func next() async throws -> Element? {
            while let message = try await messages.next() {
                if let event = decoder.event(in: message) { return (message.topic, event) }
            }
            return nil
        }
    }
}
