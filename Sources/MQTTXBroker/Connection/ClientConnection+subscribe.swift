import MQTTCore
import MQTTNetwork
import NIOCore
import Synchronization

// SUBSCRIBE, UNSUBSCRIBE and DISCONNECT.
extension ClientConnection {
    func received(_ subscribe: Subscribe) {
        guard let session else { return }
        var codes: [ReasonCode] = []
        var retained = DueRetained(isBehind: session.outbound.withLock { $0.isBehindWithRetained })
        let identifier = subscribe.properties.subscriptionIdentifiers.first
        for request in subscribe.filters {
            let filter: TopicFilter
            do throws(MQTTXError) {
                filter = try TopicFilter(request.filter)
            } catch {
                // 3.1.1 has no code for it; 5.0 has.
                guard isV5 else { return fail(error) }
                codes.append(.topicFilterInvalid)
                continue
            }
            if filter.shareName != nil, request.options.noLocal {
                return violation("No Local on a shared subscription")
            }
            codes.append(grant(filter, request.options, identifier, session, &retained))
        }
        if !isV5 { codes = codes.map { $0.isError ? .unspecifiedError : $0 } }
        send(.suback(SubAck(packetID: subscribe.packetID, reasonCodes: codes)))
        putRetained(retained, session)
    }

    /// The retained messages that a SUBSCRIBE brings.
    private struct DueRetained {
        /// The client has yet to take others.
        var isBehind = false
        var deliveries: [Delivery] = []
        /// Subscriptions whose messages follow when the client has taken those before them.
        var later: [TopicFilter] = []
    }

    private func putRetained(_ due: DueRetained, _ session: Session) {
        guard !due.deliveries.isEmpty || !due.later.isEmpty else { return }
        loop.tally.sent += due.deliveries.count
        _ = session.outbound.withLock { $0.putRetained(due.deliveries, later: due.later) }
    }

    /// Sends the retained messages of a subscription that waited, if the client has it still.
    func sendRetained(_ filter: TopicFilter, _ session: Session) {
        if let subscription = broker.router.subscription(of: session, to: filter) {
            putRetained(DueRetained(deliveries: retainedDeliveries(filter, subscription)), session)
        }
        wake()
    }

    private func grant(
        _ filter: TopicFilter, _ options: SubscriptionOptions, _ identifier: UInt32?, _ session: Session,
        _ retained: inout DueRetained
    ) -> ReasonCode {
        if let code = refusal(of: filter) { return code }
        var options = options
        options.qos = min(options.qos, broker.policy.maximumQoS)
        let subscription = Subscription(options: options, identifier: identifier)
        guard let isNew = broker.router.subscribe(session, filter, subscription) else { return .quotaExceeded }
        let sendsRetained =
            filter.shareName == nil
            && (options.retainHandling == .sendAtSubscribe || options.retainHandling == .sendIfNew && isNew)
        if sendsRetained {
            if retained.isBehind || retained.deliveries.count >= RetainedReplays.messagesAtOnce {
                retained.later.append(filter)
            } else {
                retained.deliveries += retainedDeliveries(filter, subscription)
            }
        }
        return ReasonCode(rawValue: options.qos.rawValue) ?? .success
    }

    private func refusal(of filter: TopicFilter) -> ReasonCode? {
        if filter.shareName != nil, !broker.policy.areSharedSubscriptionsAvailable {
            return .sharedSubscriptionsNotSupported
        }
        if filter.hasWildcards, !broker.policy.areWildcardsAvailable { return .wildcardSubscriptionsNotSupported }
        if broker.isDenied(filter) { return .notAuthorized }
        guard let authorizer = broker.config.authorizer else { return nil }
        return authorizer.maySubscribe(filter.filter, by: identity) ? nil : .notAuthorized
    }

    private func retainedDeliveries(_ filter: TopicFilter, _ subscription: Subscription) -> [Delivery] {
        if filter.filter.utf8.starts(with: "$SYS".utf8) { broker.refreshSystemTopics() }
        let identifiers = isV5 ? subscription.identifier.map { [$0] } ?? [] : []
        let authorizer = broker.config.authorizer
        return broker.retained.matches(filter.filter).compactMap { message in
            if let authorizer, !authorizer.mayReceive(message.content.topic, by: identity) { return nil }
            return Delivery(
                message: message, qos: min(message.qos, subscription.options.qos), retain: true,
                identifiers: identifiers, group: nil)
        }
    }

    func received(_ unsubscribe: Unsubscribe) {
        guard let session else { return }
        let codes = unsubscribe.filters.map { filter -> ReasonCode in
            if (try? TopicFilter(filter)) == nil { return .topicFilterInvalid }
            return broker.router.unsubscribe(session, filter) ? .success : .noSubscriptionExisted
        }
        send(.unsuback(UnsubAck(packetID: unsubscribe.packetID, reasonCodes: codes)))
    }

    func received(_ disconnect: Disconnect) {
        if let expiry = disconnect.properties.sessionExpiryInterval {
            // No session to keep was asked for at CONNECT (MQTT-3.14.2-2).
            if sessionExpiry == 0, expiry != 0, broker.policy.sessionExpiryLimit != 0 {
                return violation("a session expiry where there was none")
            }
            sessionExpiry = broker.policy.sessionExpiry(expiry)
            session?.outbound.withLock { $0.isTransient = sessionExpiry == 0 }
        }
        // Only a normal end takes the will back; a client that reports a fault wants it published (MQTT-3.14.4-3).
        if disconnect.reasonCode == .success { will = nil }
        finish(nil)
    }
}
