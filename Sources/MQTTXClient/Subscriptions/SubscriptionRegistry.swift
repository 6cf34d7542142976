package import MQTTCore
internal import Synchronization

/// What a SUBSCRIBE asks for beside the topic filter.
package struct SubscriptionTerms: Sendable, Equatable {
    var options: SubscriptionOptions
    var userProperties: [UserProperty] = []

    package init(options: SubscriptionOptions, userProperties: [UserProperty] = []) {
        self.options = options
        self.userProperties = userProperties
    }
}

/// What the program wants to be subscribed to, and what the broker has said of it.
package final class SubscriptionRegistry: Sendable {
    /// One topic filter with its handlers.
    package final class Entry: @unchecked Sendable {
        // Unchecked: guarded by the registry's lock, but for what is `let`.
        let filter: TopicFilter
        let key: [UInt8]
        let slot: Int
        /// Tells the broker's copies of a message apart (MQTT 5.0, section 3.8.2.1.2).
        let identifier: UInt32
        var terms: SubscriptionTerms
        var handlers: [HandlerEntry] = []
        var grant = Grant.pending
        /// What was last asked of the broker on this session; nil if it does not know the subscription.
        var requested: SubscriptionTerms?
        var waiters: [UInt64: Waiter] = [:]

        init(filter: TopicFilter, slot: Int, identifier: UInt32, terms: SubscriptionTerms) {
            self.filter = filter
            key = Array(filter.string.utf8)
            self.slot = slot
            self.identifier = identifier
            self.terms = terms
        }
    }

    /// Waits for the broker's word.
    typealias Waiter = UnsafeContinuation<Result<BrokerAnswer, MQTTXError>, Never>

    enum Grant: Sendable {
        case pending
        case granted(BrokerAnswer)
        case refused(MQTTXError)
    }

    private struct State {
        /// By the filter's bytes: Swift takes strings for equal that are two filters in MQTT (MQTT-4.7.3-4).
        var entries: [[UInt8]: Entry] = [:]
        var trie = TopicTrie()
        /// By the trie's id: a plain and any number of shared subscriptions may have the same filter.
        var bySlot: [Int: [Entry]] = [:]
        var nextHandlerID: UInt64 = 0
        var nextIdentifier: UInt32 = 1
        var matches: [Int] = []
    }

    private let state = Mutex(State())
    /// Changes whenever a topic may have other handlers than before.
    let generation = Atomic<UInt64>(0)

    /// Identifier 1 is for all filters without wildcards: no two of them match one topic, so they can share it, and a
    /// SUBSCRIBE that restores them.
    private static let exactIdentifier: UInt32 = 1
    private static let largestIdentifier: UInt32 = 268_435_455

    package init() {}

    /// Adds a handler.
    ///
    /// - Returns: the entry, the handler's id, and whether the broker has to be asked.
    /// - Throws: ``ErrorCode/subscribeFailed`` for a second exclusive handler of one filter, shared or not.
    package func add(
        _ filter: TopicFilter, terms: SubscriptionTerms, action: HandlerEntry.Action,
        ended: (@Sendable (MQTTXError?) -> Void)? = nil
    ) throws(MQTTXError) -> (entry: Entry, handler: HandlerEntry, mustRequest: Bool) {
        defer { generation.add(1, ordering: .releasing) }
        return try state.withLock { state throws(MQTTXError) in
            state.nextHandlerID += 1
            let handler = HandlerEntry(id: state.nextHandlerID, action: action, ended: ended)
            if handler.isExclusive, Self.hasExclusive(filter, state) {
                throw MQTTXError(
                    .subscribeFailed, "another endpoint of this client is subscribed to '\(filter.string)' already")
            }
            if let entry = state.entries[Array(filter.string.utf8)] {
                entry.handlers.append(handler)
                var merged = terms
                merged.options.qos = max(entry.terms.options.qos, terms.options.qos)
                let mustRequest = merged != entry.terms || entry.requested == nil
                entry.terms = merged
                return (entry, handler, mustRequest)
            }
            let slot = state.trie.insert(filter.filter)
            var identifier = Self.exactIdentifier
            if filter.hasWildcards || filter.shareName != nil {
                state.nextIdentifier = state.nextIdentifier % Self.largestIdentifier + 1
                if state.nextIdentifier == Self.exactIdentifier { state.nextIdentifier += 1 }
                identifier = state.nextIdentifier
            }
            let entry = Entry(filter: filter, slot: slot, identifier: identifier, terms: terms)
            entry.handlers.append(handler)
            state.entries[Array(filter.string.utf8)] = entry
            state.bySlot[slot, default: []].append(entry)
            return (entry, handler, true)
        }
    }

    private static func hasExclusive(_ filter: TopicFilter, _ state: borrowing State) -> Bool {
        state.entries.values.contains { entry in
            entry.filter.filter.hasSameBytes(as: filter.filter) && entry.handlers.contains(where: \.isExclusive)
        }
    }

    /// Removes one handler.
    ///
    /// - Returns: whether it was the filter's last, so that the broker has to be told.
    func remove(_ handler: HandlerEntry, from entry: Entry) -> Bool {
        handler.cancel()
        defer { generation.add(1, ordering: .releasing) }
        let (isLast, waiters) = state.withLock {
            state -> (Bool, [Waiter]) in
            guard state.entries[entry.key] === entry else { return (false, []) }
            entry.handlers.removeAll { $0 === handler }
            guard entry.handlers.isEmpty else { return (false, []) }
            return (true, Self.drop(entry, &state))
        }
        for waiter in waiters { waiter.resume(returning: .failure(Self.cancelled)) }
        return isLast
    }

    /// Removes a filter with all its handlers.
    ///
    /// - Returns: whether there was one.
    func remove(_ filter: String) -> Bool {
        defer { generation.add(1, ordering: .releasing) }
        let (waiters, handlers) = state.withLock { state -> ([Waiter]?, [HandlerEntry]) in
            guard let entry = state.entries[Array(filter.utf8)] else { return (nil, []) }
            let handlers = entry.handlers
            entry.handlers = []
            return (Self.drop(entry, &state), handlers)
        }
        for handler in handlers {
            handler.cancel()
            handler.ended?(nil)
        }
        for waiter in waiters ?? [] { waiter.resume(returning: .failure(Self.cancelled)) }
        return waiters != nil
    }

    private static let cancelled = MQTTXError(.subscribeFailed, "the subscription was cancelled")

    private static func drop(
        _ entry: Entry, _ state: inout State
    ) -> [Waiter] {
        state.entries[entry.key] = nil
        state.bySlot[entry.slot]?.removeAll { $0 === entry }
        if state.bySlot[entry.slot]?.isEmpty == true {
            state.bySlot[entry.slot] = nil
            state.trie.remove(entry.filter.filter)
        }
        defer { entry.waiters = [:] }
        return Array(entry.waiters.values)
    }

    /// The subscriptions whose filters match a topic, in the order in which their first handlers were registered.
    func routes(for topic: String) -> [Route] {
        state.withLock { state in
            state.matches.removeAll(keepingCapacity: true)
            state.trie.match(topic, into: &state.matches)
            var entries: [Entry] = []
            for slot in state.matches { entries += state.bySlot[slot] ?? [] }
            return entries.map { Route(identifier: $0.identifier, handlers: $0.handlers) }
        }
    }

    func contains(_ filter: String) -> Bool { state.withLock { $0.entries[Array(filter.utf8)] != nil } }

    // MARK: What the broker says

    /// The subscriptions that a new connection has to ask for, and marks them as asked for.
    ///
    /// - Parameter sessionPresent: whether the broker still knows those it granted before.
    func takeUnrequested(sessionPresent: Bool) -> [Request] {
        state.withLock { state in
            var result: [Request] = []
            for entry in state.entries.values {
                if case .granted = entry.grant, sessionPresent, entry.requested == entry.terms { continue }
                entry.requested = entry.terms
                result.append((entry, entry.terms))
            }
            return result.sorted { $0.entry.identifier < $1.entry.identifier }
        }
    }

    /// The subscriptions that were added while the connection was being set up, and marks them as asked for.
    func takeAdded() -> [Request] {
        state.withLock { state in
            var result: [Request] = []
            for entry in state.entries.values where entry.requested != entry.terms {
                entry.requested = entry.terms
                result.append((entry, entry.terms))
            }
            return result
        }
    }

    /// What the broker is to be asked.
    typealias Request = (entry: Entry, terms: SubscriptionTerms)

    /// Marks one as asked for; nil if that has happened already.
    func markRequested(_ entry: Entry) -> SubscriptionTerms? {
        state.withLock { _ in
            guard entry.requested != entry.terms else { return nil }
            entry.requested = entry.terms
            return entry.terms
        }
    }

    /// The request was not answered: ask again on the next connection.
    func markUnrequested(_ entry: Entry) { state.withLock { _ in entry.requested = nil } }

    /// SUBACK for one filter. A refusal takes the subscription off the list.
    func answered(_ entry: Entry, _ result: Result<BrokerAnswer, MQTTXError>) {
        let (waiters, handlers) = state.withLock { state -> ([Waiter], [HandlerEntry]) in
            switch result {
            case .success(let answer):
                entry.grant = .granted(answer)
            case .failure(let error):
                entry.grant = .refused(error)
                if state.entries[entry.key] === entry { return (Self.drop(entry, &state), entry.handlers) }
            }
            defer { entry.waiters = [:] }
            return (Array(entry.waiters.values), [])
        }
        if case .failure(let error) = result {
            generation.add(1, ordering: .releasing)
            for handler in handlers { handler.ended?(error) }
        }
        for waiter in waiters { waiter.resume(returning: result) }
    }

    /// Waits for the broker's word on a subscription.
    func granted(_ entry: Entry, timeout: Duration?) async throws -> BrokerAnswer {
        let id = state.withLock { state in
            state.nextHandlerID += 1
            return state.nextHandlerID
        }
        let result = await withTaskCancellationHandler {
            await withTaskGroup(of: Void.self) { group in
                let result = await withUnsafeContinuation { continuation in
                    let known: Result<BrokerAnswer, MQTTXError>? = state.withLock { state in
                        switch entry.grant {
                        case .granted(let answer) where entry.requested == entry.terms:
                            return .success(answer)
                        case .refused(let error):
                            return .failure(error)
                        case .pending, .granted:
                            guard state.entries[entry.key] === entry, !Task.isCancelled else {
                                return .failure(Self.cancelled)
                            }
                            entry.waiters[id] = continuation
                            return nil
                        }
                    }
                    if let known { return continuation.resume(returning: known) }
                    guard let timeout else { return }
                    // Not before there is somebody to end the waiting of.
                    group.addTask { await self.giveUp(entry, id, after: timeout) }
                }
                group.cancelAll()
                return result
            }
        } onCancel: {
            resume(entry, id, .failure(Self.cancelled))
        }
        try Task.checkCancellation()
        return try result.get()
    }

    private func giveUp(_ entry: Entry, _ id: UInt64, after timeout: Duration) async {
        guard (try? await Task.sleep(for: timeout)) != nil else { return }
        let error = MQTTXError(
            .connectionTimeout, "the broker did not answer the subscription to '\(entry.filter.string)' in time")
        resume(entry, id, .failure(error))
    }

    private func resume(_ entry: Entry, _ id: UInt64, _ result: Result<BrokerAnswer, MQTTXError>) {
        let waiter = state.withLock { _ in entry.waiters.removeValue(forKey: id) }
        waiter?.resume(returning: result)
    }

    /// The client has stopped: nobody will answer.
    func stop(_ error: MQTTXError) {
        // Nothing is granted any more.
        defer { generation.add(1, ordering: .releasing) }
        let waiters = state.withLock { state in
            var waiters: [Waiter] = []
            for entry in state.entries.values {
                waiters += entry.waiters.values
                entry.waiters = [:]
                entry.grant = .pending
                entry.requested = nil
            }
            return waiters
        }
        for waiter in waiters { waiter.resume(returning: .failure(error)) }
    }

    /// Whether a handler is still told of messages.
    func holds(_ handler: HandlerEntry, in entry: Entry) -> Bool {
        state.withLock { $0.entries[entry.key] === entry && entry.handlers.contains { $0 === handler } }
    }

    func grant(of entry: Entry) -> Grant { state.withLock { _ in entry.grant } }

    /// Without a copy of the whole answer: each call of a higher layer asks.
    func grantedQoS(of entry: Entry) -> QoS? {
        state.withLock { _ in
            guard case .granted(let answer) = entry.grant else { return nil }
            return QoS(rawValue: answer.reasonCode.rawValue)
        }
    }
}
