package import MQTTCore
internal import NIOCore
internal import Synchronization

/// Stands for one message on its way; ``outcome`` tells how it ended.
///
/// Within the client it is the message on its way, which the queue and the table of those in flight refer to.
public final class PublishReceipt: Sendable {
    private struct State {
        var outcome: PublishOutcome?
        /// Whether somebody calls ``takesLong()`` if this does: until then whoever waits needs no cancellation handler.
        var isWatched: Bool
        // One task waits as a rule: no array for it.
        var waiter: Waiter?
        var moreWaiters: [Waiter] = []
        var nextID = 0
        var concerned: Concerned?
    }

    /// Who is told of a failure, and what of theirs depends on the message. Not a closure: making one, and passing it on out of
    /// an optional, takes memory three times.
    private struct Concerned {
        let observer: any PublishObserver
        let subject: any AnyObject & Sendable
    }

    private struct Waiter {
        /// 0 for one that has no cancellation handler.
        let id: Int
        let continuation: UnsafeContinuation<PublishOutcome?, Never>
    }

    private let state: Mutex<State>

    /// What is sent. Unsafe, since no lock of ours guards it: until the outbox has it, one task alone knows this message;
    /// then it is read and changed under the outbox's lock; ``complete(_:)`` takes it away once the outbox has let go of it.
    @exclusivity(unchecked)
    nonisolated(unsafe) private var publish: Publish?
    let qos: QoS

    /// - Parameter isWatched: whether ``takesLong()`` will be called unless this is completed soon.
    package init(_ publish: consuming Publish, isWatched: Bool = false) {
        qos = publish.qos
        self.publish = publish
        state = Mutex(State(isWatched: isWatched))
    }

    // MARK: The message, under the outbox's lock

    var topic: String { publish?.topic ?? "" }

    /// What it counts in the queue.
    var size: Int { publish.map { $0.payload.readableBytes + $0.topic.utf8.count + 64 } ?? 0 }

    /// Lends the message: for a copy, references would be counted.
    @inline(__always)
    func withPublish(_ body: (borrowing Publish) throws(MQTTXError) -> Void) throws(MQTTXError) {
        try publish?.lend(body)
    }

    /// The receiver has the message: only its name is still needed.
    func releasePayload() {
        publish?.payload = .init()
        publish?.properties = .init()
    }

    // MARK: Waiting

    /// How the message ended; waits until it has.
    ///
    /// Cancelling the task ends the waiting, not the message: at once, but in the tenth of a second after the message was
    /// sent, if no answer comes before that is over. A task that is cancelled already does not wait.
    ///
    /// - Throws: `CancellationError` if the task is cancelled.
    public var outcome: PublishOutcome {
        // Part of who waits: each async call on the way costs a look at where to go on.
        @inline(__always)
        get async throws {
            if let outcome = outcomeIfKnown { return outcome }
            return try await outcomeToCome
        }
    }

    /// The same for a message that was sent just now, whose outcome is hardly known already.
    var outcomeToCome: PublishOutcome {
        @inline(__always)
        get async throws {
            if let outcome = await outcomeIfSoon { return outcome }
            return try await outcomeAtLast
        }
    }

    /// The outcome if it comes before ``takesLong()`` is called. Brokers answer at once as a rule, and to be told of a
    /// cancellation meanwhile would cost more than all else about the waiting.
    private var outcomeIfSoon: PublishOutcome? {
        @inline(__always)
        get async {
            await withUnsafeContinuation { register(Waiter(id: 0, continuation: $0)) }
        }
    }

    private var outcomeAtLast: PublishOutcome {
        get async throws {
            let id = state.withLock { state in
                state.nextID += 1
                return state.nextID
            }
            let outcome = await withTaskCancellationHandler {
                await withUnsafeContinuation { register(Waiter(id: id, continuation: $0)) }
            } onCancel: {
                takeWaiter(id)?.continuation.resume(returning: nil)
            }
            guard let outcome else { throw CancellationError() }
            return outcome
        }
    }

    /// Lets a task wait, or go on at once: with the outcome if it is known, with nothing if it must not wait, or not like this.
    @inline(__always)
    private func register(_ waiter: Waiter) {
        let outcome: PublishOutcome?? = state.withLock { state in
            if let outcome = state.outcome { return .some(outcome) }
            let mayWait = waiter.id != 0 || (state.isWatched && state.waiter == nil)
            guard mayWait, !Task.isCancelled else { return .some(nil) }
            if state.waiter == nil { state.waiter = waiter } else { state.moreWaiters.append(waiter) }
            return nil
        }
        if let outcome { waiter.continuation.resume(returning: outcome) }
    }

    /// From now on whoever waits is told of a cancellation at once.
    func takesLong() {
        let waiter = state.withLock { state -> Waiter? in
            state.isWatched = false
            guard let waiter = state.waiter, waiter.id == 0 else { return nil }
            state.waiter = nil
            return waiter
        }
        waiter?.continuation.resume(returning: nil)
    }

    /// The outcome, if it is there already.
    public var outcomeIfKnown: PublishOutcome? { state.withLock { $0.outcome } }

    /// Tells the observer if the message fails. Only one can be set.
    ///
    /// - Parameter subject: what it is told with.
    package func onFailure(tell observer: any PublishObserver, of subject: any AnyObject & Sendable) {
        let outcome = state.withLock { state in
            if state.outcome == nil { state.concerned = Concerned(observer: observer, subject: subject) }
            return state.outcome
        }
        if case .failed(let error) = outcome { observer.publishFailed(subject, error) }
    }

    /// Only the first call counts.
    package func complete(_ outcome: PublishOutcome) {
        let (waiter, rest) = state.withLock { state -> (Waiter?, (more: [Waiter], concerned: Concerned?)?) in
            guard state.outcome == nil else { return (nil, nil) }
            publish = nil
            state.outcome = outcome
            let waiter = state.waiter.take()
            guard !state.moreWaiters.isEmpty || state.concerned != nil else { return (waiter, nil) }
            defer {
                state.moreWaiters = []
                state.concerned = nil
            }
            return (waiter, (state.moreWaiters, state.concerned))
        }
        if let concerned = rest?.concerned, case .failed(let error) = outcome {
            concerned.observer.publishFailed(concerned.subject, error)
        }
        waiter?.continuation.resume(returning: outcome)
        for waiter in rest?.more ?? [] { waiter.continuation.resume(returning: outcome) }
    }

    private func takeWaiter(_ id: Int) -> Waiter? {
        state.withLock { state in
            if let waiter = state.waiter, waiter.id == id {
                state.waiter = nil
                return waiter
            }
            guard let index = state.moreWaiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.moreWaiters.remove(at: index)
        }
    }
}

/// Is told of messages that failed.
package protocol PublishObserver: AnyObject, Sendable {
    /// Called on no particular thread and under no lock; must return at once.
    ///
    /// - Parameter subject: what ``PublishReceipt/onFailure(tell:of:)`` was given.
    func publishFailed(_ subject: any AnyObject & Sendable, _ error: MQTTXError)
}

extension Publish {
    @inline(__always)
    fileprivate mutating func lend(_ body: (borrowing Publish) throws(MQTTXError) -> Void) throws(MQTTXError) {
        try body(self)
    }
}
