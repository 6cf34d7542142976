internal import MQTTCore
internal import NIOCore
internal import Synchronization

extension ClientCore {
    private typealias Request = (entry: SubscriptionRegistry.Entry, options: SubscriptionOptions)

    /// Filters of one SUBSCRIBE at most: far from every broker's largest packet.
    private static let largestBatch = 500

    /// Adds a handler and, when there is a connection, asks the broker.
    func subscribe(
        _ filter: TopicFilter, options: SubscriptionOptions, action: HandlerEntry.Action
    ) throws(MQTTXError) -> Subscription {
        let server = shared.withLock { $0.server }
        if let server { try check(filter, server) }
        let (entry, handler, mustRequest) = try registry.add(filter, options: options, action: action)
        _ = shared.withLock { $0.abandonedFilters.remove(filter.string) }
        if mustRequest, let server, let options = registry.markRequested(entry) {
            requestSubscriptions([(entry, options)], server: server)
        }
        eventLoop.execute { self.current.value?.handlersChanged() }
        return Subscription(core: self, entry: entry, handler: handler)
    }

    private func check(_ filter: TopicFilter, _ server: ServerCapabilities) throws(MQTTXError) {
        if filter.shareName != nil, !server.areSharedSubscriptionsAvailable {
            throw MQTTXError(
                .subscribeFailed, "the broker has no shared subscriptions",
                reasonCode: .sharedSubscriptionsNotSupported)
        }
        if filter.hasWildcards, !server.areWildcardsAvailable {
            throw MQTTXError(
                .subscribeFailed, "the broker has no wildcard subscriptions",
                reasonCode: .wildcardSubscriptionsNotSupported)
        }
    }

    /// Sends SUBSCRIBEs: one for all filters that share an identifier, as far as a packet carries.
    func requestSubscriptions(
        _ requests: [(entry: SubscriptionRegistry.Entry, options: SubscriptionOptions)], server: ServerCapabilities
    ) {
        let withIdentifiers = server.areSubscriptionIdentifiersAvailable
        var batch: [Request] = []
        for request in requests {
            if let first = batch.first,
                batch.count >= Self.largestBatch
                    || (withIdentifiers && first.entry.identifier != request.entry.identifier)
            {
                send(batch, withIdentifiers)
                batch = []
            }
            batch.append(request)
        }
        send(batch, withIdentifiers)
    }

    private func send(_ batch: [Request], _ withIdentifiers: Bool) {
        guard let first = batch.first else { return }
        var properties = Properties()
        if withIdentifiers { properties.subscriptionIdentifiers = [first.entry.identifier] }
        let filters = batch.map { SubscriptionRequest($0.entry.filter.string, options: $0.options) }
        let entries = batch.map(\.entry)
        let packetProperties = properties
        let request = PendingRequest {
            .subscribe(Subscribe(packetID: $0, filters: filters, properties: packetProperties))
        } answered: { [weak self] result in
            self?.answered(entries, result)
        }
        do throws(MQTTXError) {
            guard try outbox.request(request) else {
                for entry in entries { registry.markUnrequested(entry) }
                return
            }
        } catch {
            for entry in entries { registry.answered(entry, .failure(error)) }
        }
    }

    private func answered(_ entries: [SubscriptionRegistry.Entry], _ result: Result<Packet, MQTTXError>) {
        guard case .success(.suback(let suback)) = result else {
            // The connection went first: the next one asks again.
            for entry in entries { registry.markUnrequested(entry) }
            return
        }
        let reason = suback.properties.reasonString.map { ": \($0)" } ?? ""
        for (index, entry) in entries.enumerated() {
            let filter = entry.filter.string
            guard index < suback.reasonCodes.count else {
                registry.answered(
                    entry, .failure(MQTTXError(.protocolViolation, "the SUBACK has no answer for '\(filter)'")))
                continue
            }
            let reasonCode = suback.reasonCodes[index]
            guard reasonCode.isError else {
                registry.answered(entry, .success(reasonCode))
                continue
            }
            let error = MQTTXError(
                reasonCode == .notAuthorized ? .permissionDenied : .subscribeFailed,
                "the broker refused the subscription to '\(filter)': \(reasonCode.text)\(reason)",
                reasonCode: reasonCode)
            registry.answered(entry, .failure(error))
            notify(.subscriptionRefused(filter: filter, error: error))
        }
    }

    /// Tells the broker that a filter is not wanted any more.
    func unsubscribe(_ filter: String) async throws {
        let answer: Result<Packet, MQTTXError>? = try await withDeadline(
            config.operationTimeout, "the broker did not answer the UNSUBSCRIBE of '\(filter)' in time"
        ) { resume in
            let request = PendingRequest {
                .unsubscribe(Unsubscribe(packetID: $0, filters: [filter]))
            } answered: {
                resume($0)
            }
            do throws(MQTTXError) {
                if try !self.outbox.request(request) { resume(nil) }
            } catch {
                resume(.failure(error))
            }
        }
        switch answer {
        case nil, .failure:
            // No connection: a broker that keeps the session is told on the next one.
            _ = shared.withLock { $0.abandonedFilters.insert(filter) }
        case .success(.unsuback(let unsuback)):
            guard let reasonCode = unsuback.reasonCodes.first, reasonCode.isError else { return }
            throw MQTTXError(
                reasonCode == .notAuthorized ? .permissionDenied : .subscribeFailed,
                "the broker refused to unsubscribe '\(filter)': \(reasonCode.text)", reasonCode: reasonCode)
        case .success:
            return
        }
    }

    func unsubscribeWithoutAnswer(_ filters: [String]) {
        let request = PendingRequest {
            .unsubscribe(Unsubscribe(packetID: $0, filters: filters))
        } answered: { _ in
        }
        _ = try? outbox.request(request)
    }

    /// Waits for a value that a callback brings, until the deadline or until the task is cancelled.
    private func withDeadline<T: Sendable>(
        _ timeout: Duration, _ message: String, _ start: (@escaping @Sendable (T) -> Void) -> Void
    ) async throws -> T {
        let promise = eventLoop.makePromise(of: T.self)
        start { promise.succeed($0) }
        let timer = eventLoop.scheduleTask(in: TimeAmount(timeout)) {
            promise.fail(MQTTXError(.connectionTimeout, message))
        }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
        }
    }
}
