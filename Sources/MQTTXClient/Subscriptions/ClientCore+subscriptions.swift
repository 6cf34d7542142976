internal import MQTTCore
internal import NIOCore
internal import Synchronization

extension ClientCore {
    /// Filters of one SUBSCRIBE at most: far from every broker's largest packet.
    private static let largestBatch = 500

    /// Adds a handler and, when there is a connection, asks the broker.
    func subscribe(
        _ filter: TopicFilter, terms: SubscriptionTerms, action: HandlerEntry.Action,
        ended: (@Sendable (MQTTXError?) -> Void)? = nil
    ) throws(MQTTXError) -> Subscription {
        let server = shared.withLock { $0.server }
        if let server { try check(filter, server) }
        let (entry, handler, mustRequest) = try registry.add(filter, terms: terms, action: action, ended: ended)
        _ = shared.withLock { $0.abandonedFilters.remove(UTF8Key(filter.string)) }
        if mustRequest, let server, let terms = registry.markRequested(entry) {
            requestSubscriptions([(entry, terms)], server: server)
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

    /// Sends SUBSCRIBEs: one for all filters that share identifier and user properties, as far as a packet carries. What
    /// the server does not offer is refused here.
    func requestSubscriptions(_ requests: [SubscriptionRegistry.Request], server: ServerCapabilities) {
        let withIdentifiers = server.areSubscriptionIdentifiersAvailable
        var batch: [SubscriptionRegistry.Request] = []
        var size = 0
        for request in requests {
            do throws(MQTTXError) {
                try check(request.entry.filter, server)
            } catch {
                refuse(request.entry, error)
                continue
            }
            // Length and options beside the filter itself.
            let added = request.entry.filter.string.utf8.count + 3
            if let first = batch.first,
                batch.count >= Self.largestBatch || size + added > server.maximumPacketSize
                    || first.terms.userProperties != request.terms.userProperties
                    || (withIdentifiers && first.entry.identifier != request.entry.identifier)
            {
                send(batch, withIdentifiers)
                batch = []
            }
            if batch.isEmpty { size = Self.headerSize + request.terms.userProperties.encodedSize }
            size += added
            batch.append(request)
        }
        send(batch, withIdentifiers)
    }

    /// The most that a SUBSCRIBE or UNSUBSCRIBE has beside filters and user properties: fixed header, packet identifier,
    /// the properties' length, subscription identifier.
    private static let headerSize = 16

    private func refuse(_ entry: SubscriptionRegistry.Entry, _ error: MQTTXError) {
        registry.answered(entry, .failure(error))
        notify(.subscriptionRefused(filter: entry.filter.string, error: error))
    }

    private func send(_ batch: [SubscriptionRegistry.Request], _ withIdentifiers: Bool) {
        guard let first = batch.first else { return }
        var properties = Properties()
        if withIdentifiers { properties.subscriptionIdentifiers = [first.entry.identifier] }
        properties.userProperties = first.terms.userProperties
        let filters = batch.map { SubscriptionRequest($0.entry.filter.string, options: $0.terms.options) }
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
            for entry in entries { refuse(entry, error) }
        }
    }

    private func answered(_ entries: [SubscriptionRegistry.Entry], _ result: Result<Packet, MQTTXError>) {
        if case .failure(let error) = result, error.code != .connectionLost {
            for entry in entries { refuse(entry, error) }
            return
        }
        guard case .success(.suback(let suback)) = result else {
            // The connection went first: the next one asks again.
            for entry in entries { registry.markUnrequested(entry) }
            return
        }
        let reason = suback.properties.reasonString.map { ": \($0)" } ?? ""
        for (entry, reasonCode) in zip(entries, suback.reasonCodes) {
            let filter = entry.filter.string
            guard reasonCode.isError else {
                registry.answered(entry, .success(BrokerAnswer(reasonCode, suback.properties)))
                continue
            }
            let error = MQTTXError(
                reasonCode == .notAuthorized ? .permissionDenied : .subscribeFailed,
                "the broker refused the subscription to '\(filter)': \(reasonCode.text)\(reason)",
                reasonCode: reasonCode, properties: suback.properties)
            refuse(entry, error)
        }
    }

    /// Tells the broker that a filter is not wanted any more.
    ///
    /// - Returns: its UNSUBACK; nil without a connection.
    func unsubscribe(_ filter: String, _ userProperties: [UserProperty]) async throws -> BrokerAnswer? {
        let answer: Result<Packet, MQTTXError>? = try await withDeadline(
            config.operationTimeout, "the broker did not answer the UNSUBSCRIBE of '\(filter)' in time"
        ) { resume in
            let request = PendingRequest {
                .unsubscribe(
                    Unsubscribe(
                        packetID: $0, filters: [filter], properties: .with { $0.userProperties = userProperties }))
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
            _ = shared.withLock { $0.abandonedFilters.insert(UTF8Key(filter)) }
            return nil
        case .success(.unsuback(let unsuback)):
            let answer = BrokerAnswer(unsuback.reasonCodes.first ?? .success, unsuback.properties)
            guard answer.reasonCode.isError else { return answer }
            let reason = answer.reasonString.map { ": \($0)" } ?? ""
            throw MQTTXError(
                answer.reasonCode == .notAuthorized ? .permissionDenied : .subscribeFailed,
                "the broker refused to unsubscribe '\(filter)': \(answer.reasonCode.text)\(reason)",
                reasonCode: answer.reasonCode, properties: answer.properties)
        case .success:
            return nil
        }
    }

    /// Tells the broker that filters are not wanted any more, in packets of a size that it takes. Those that could not be
    /// told are told on the next connection.
    func unsubscribeWithoutAnswer(_ filters: [String], largestPacket: Int = 65_535) {
        var batch: [String] = []
        var size = Self.headerSize
        for filter in filters {
            let added = filter.utf8.count + 2
            if !batch.isEmpty, batch.count >= Self.largestBatch || size + added > largestPacket {
                sendUnsubscribe(batch)
                batch = []
                size = Self.headerSize
            }
            batch.append(filter)
            size += added
        }
        if !batch.isEmpty { sendUnsubscribe(batch) }
    }

    private func sendUnsubscribe(_ filters: [String]) {
        let abandon: @Sendable () -> Void = { [weak self] in
            self?.shared.withLock { $0.abandonedFilters.formUnion(filters.map(UTF8Key.init)) }
        }
        let request = PendingRequest {
            .unsubscribe(Unsubscribe(packetID: $0, filters: filters))
        } answered: { result in
            if case .failure = result { abandon() }
        }
        if (try? outbox.request(request)) != true { abandon() }
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
