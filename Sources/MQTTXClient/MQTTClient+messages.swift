public import MQTTCore
internal import Synchronization

extension MQTTClient {
    /// The messages that match a topic filter, as a stream.
    ///
    /// The subscription is made when iteration begins and ends with it. One message waits for the reader at a time;
    /// a slow reader slows the broker down as a slow handler does.
    ///
    /// - Parameters:
    ///   - filter: a topic filter.
    ///   - qos: the highest QoS at which messages are to arrive.
    ///   - noLocal: don't send what this client itself publishes (MQTT 5.0).
    ///   - retainAsPublished: keep the RETAIN flag as it was published (MQTT 5.0).
    ///   - retainHandling: which retained messages come (MQTT 5.0).
    ///   - userProperties: of the SUBSCRIBE (MQTT 5.0).
    /// - Throws: while iterating, what
    ///   ``subscribe(_:qos:noLocal:retainAsPublished:retainHandling:userProperties:handler:)`` throws, and the error with
    ///   which the client stopped for good.
    public func messages(
        _ filter: String, qos: QoS = .atLeastOnce, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .sendAtSubscribe, userProperties: [UserProperty] = []
    ) -> MessageStream {
        let options = SubscriptionOptions(
            qos: qos, noLocal: noLocal, retainAsPublished: retainAsPublished, retainHandling: retainHandling)
        return MessageStream(
            client: self, filter: filter, terms: SubscriptionTerms(options: options, userProperties: userProperties))
    }
}

/// Messages of a subscription, one after another. See
/// ``MQTTClient/messages(_:qos:noLocal:retainAsPublished:retainHandling:userProperties:)``.
public struct MessageStream: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = MQTTMessage
    /// What the stream may end with.
    public typealias Failure = any Error

    let client: MQTTClient
    let filter: String
    let terms: SubscriptionTerms

    /// Every iteration has a subscription of its own.
    public func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    /// One iteration. The subscription ends when this is let go.
    public final class Iterator: AsyncIteratorProtocol {
        private let stream: MessageStream
        private let handoff = Handoff()
        private var subscription: Subscription?
        private var observer: UInt64?

        init(stream: MessageStream) { self.stream = stream }

        /// The next message; the first call subscribes.
        ///
        /// - Returns: nil when the filter was unsubscribed.
        /// - Throws: why the subscription was refused, also when it was to be restored; why the client stopped for good; or
        ///   `CancellationError`.
        public func next() async throws -> MQTTMessage? {
            if subscription == nil { try await subscribe() }
            let message = try await handoff.take()
            if message == nil { try Task.checkCancellation() }
            return message
        }

        private func subscribe() async throws {
            let handoff = handoff
            // First, so that no end of the client is missed.
            let observer = stream.client.observe { event in
                if case .disconnected(willReconnect: false, let error) = event { handoff.finish(error) }
            }
            do {
                subscription = try await stream.client.subscribe(
                    stream.filter, stream.terms, .concurrent { await handoff.give($0) }, ended: handoff.finish)
                self.observer = observer
            } catch {
                stream.client.removeObserver(observer)
                throw error
            }
        }

        deinit {
            handoff.finish(nil)
            guard let subscription else { return }
            if let observer { stream.client.removeObserver(observer) }
            // The iterator is gone, nobody could await the answer.
            if subscription.core.registry.remove(subscription.handler, from: subscription.entry) {
                subscription.core.unsubscribeWithoutAnswer([subscription.filter])
            }
        }
    }
}

/// Hands messages from handlers to one reader; a handler waits until its message is taken, or the end has come.
final class Handoff: Sendable {
    private struct State {
        var waitingMessages: [(message: MQTTMessage, giver: UnsafeContinuation<Void, Never>?)] = []
        var reader: UnsafeContinuation<Result<MQTTMessage?, any Error>, Never>?
        var end: Result<MQTTMessage?, any Error>?
    }

    private let state = Mutex(State())

    /// Waits until the reader has taken the message. After the end it is let go.
    func give(_ message: MQTTMessage) async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let reader = state.withLock { state -> UnsafeContinuation<Result<MQTTMessage?, any Error>, Never>?? in
                if state.end != nil { return .some(nil) }
                if let reader = state.reader {
                    state.reader = nil
                    return reader
                }
                state.waitingMessages.append((message, continuation))
                return nil
            }
            guard let reader else { return }
            reader?.resume(returning: .success(message))
            continuation.resume()
        }
    }

    func take() async throws -> MQTTMessage? {
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let ready = state.withLock {
                    state -> (Result<MQTTMessage?, any Error>, UnsafeContinuation<Void, Never>?)? in
                    if !state.waitingMessages.isEmpty {
                        let (message, giver) = state.waitingMessages.removeFirst()
                        return (.success(message), giver)
                    }
                    if let end = state.end { return (end, nil) }
                    if Task.isCancelled { return (.success(nil), nil) }
                    state.reader = continuation
                    return nil
                }
                guard let (result, giver) = ready else { return }
                continuation.resume(returning: result)
                giver?.resume()
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(returning: .success(nil))
        }
        return try result.get()
    }

    /// Nothing more comes. Messages that wait are still taken when the reader goes on; a nil error lets them go. Their
    /// handlers wait no more: the client ends only after them, and it may be the reader who ends it.
    func finish(_ error: (any Error)?) {
        let (givers, reader) = state.withLock { state in
            let end: Result<MQTTMessage?, any Error> = error.map { .failure($0) } ?? .success(nil)
            state.end = end
            let reader = state.reader
            state.reader = nil
            let givers = state.waitingMessages.compactMap(\.giver)
            state.waitingMessages = error == nil ? [] : state.waitingMessages.map { ($0.message, nil) }
            return (givers, reader.map { ($0, end) })
        }
        for giver in givers { giver.resume() }
        if let (reader, end) = reader { reader.resume(returning: end) }
    }
}
