import MQTTCore
import MQTTNetwork
import NIOCore
import Synchronization

// SUBSCRIBE, UNSUBSCRIBE and DISCONNECT.
extension ClientConnection {
    func received(_ subscribe: Subscribe) {
        guard let session else { return }
        var codes: [ReasonCode] = []
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
            codes.append(grant(filter, request.options, identifier, session))
        }
        // Another connection may have ended the session meanwhile: nobody would remove what was added since.
        if session.outbound.withLock({ $0.isEnded }) { broker.router.removeAll(session) }
        if !isV5 { codes = codes.map { $0.isError ? .unspecifiedError : $0 } }
        let suback = Packet.suback(SubAck(packetID: subscribe.packetID, reasonCodes: codes))
        if outputBehindMessages.readableBytes > 0 {
            // Not before the UNSUBACK for the same filter; retained messages come once it is out.
            sendBehindMessages(suback)
        } else {
            send(suback)
            deliverRetained()
        }
    }

    private func grant(
        _ filter: TopicFilter, _ options: SubscriptionOptions, _ identifier: UInt32?, _ session: Session
    ) -> ReasonCode {
        if let code = refusal(of: filter) { return code }
        var options = options
        options.qos = min(options.qos, broker.policy.maximumQoS)
        if isBridge, filter.shareName == nil {
            options.noLocal = true
            options.retainAsPublished = true
        }
        let subscription = Subscription(options: options, identifier: identifier)
        guard let isNew = broker.router.subscribe(session, filter, subscription) else { return .quotaExceeded }
        let sendsRetained =
            filter.shareName == nil
            && (options.retainHandling == .sendAtSubscribe || options.retainHandling == .sendIfNew && isNew)
        if sendsRetained { session.outbound.withLock { $0.retained.append(filter.filter) } }
        return ReasonCode(rawValue: options.qos.rawValue) ?? .success
    }

    private func refusal(of filter: TopicFilter) -> ReasonCode? {
        if filter.shareName != nil, !broker.policy.areSharedSubscriptionsAvailable {
            return .sharedSubscriptionsNotSupported
        }
        if filter.hasWildcards, !broker.policy.areWildcardsAvailable { return .wildcardSubscriptionsNotSupported }
        if broker.isDenied(filter) { return .unspecifiedError }
        guard let authorizer = broker.config.authorizer else { return nil }
        return authorizer.maySubscribe(filter.filter, by: identity) ? nil : .notAuthorized
    }

    /// Hands out retained messages that are due, as long as the session has room and this turn of the event loop time.
    /// The next flush goes on with it.
    func deliverRetained() {
        guard let session, stage == .connected else { return }
        var isUnderway = false
        while retainedVisits < RetainedStore.largestVisit,
            let step = session.outbound.withLock({ $0.nextRetained(for: self) })
        {
            isUnderway = true
            switch step {
            case .lookUp(let filter):
                lookUpRetained(filter, session)
            case .handOut(let messages, let subscription):
                retainedVisits += messages.count
                let deliveries = deliveries(of: messages, subscription)
                loop.tally.sent += deliveries.count
                session.outbound.withLock { $0.putRetained(deliveries) }
            }
        }
        if isUnderway { wake() }
    }

    /// Looks up the messages for a filter, if the client has subscribed to it still.
    private func lookUpRetained(_ filter: String, _ session: Session) {
        retainedVisits += 1
        guard let subscription = broker.router.subscription(of: session, to: filter) else { return }
        if filter.utf8.starts(with: "$SYS".utf8) { broker.refreshSystemTopics() }
        let messages = broker.retained.matches(filter, visited: &retainedVisits)
        session.outbound.withLock { $0.found(messages, filter, subscription, by: self) }
    }

    private func deliveries(of messages: ArraySlice<Message>, _ subscription: Subscription) -> [Delivery] {
        let identifiers = isV5 ? subscription.identifier.map { [$0] } ?? [] : []
        let authorizer = broker.config.authorizer
        return messages.compactMap { message in
            if let authorizer, !authorizer.mayReceive(message.topic, by: identity) { return nil }
            return Delivery(
                message: message, qos: min(message.qos, subscription.options.qos), retain: true,
                identifiers: identifiers, group: nil)
        }
    }

    func received(_ unsubscribe: Unsubscribe) {
        guard let session else { return }
        let codes = unsubscribe.filters.map { filter -> ReasonCode in
            if (try? TopicFilter(filter)) == nil { return .topicFilterInvalid }
            session.outbound.withLock { $0.retained.remove(filter) }
            return broker.router.unsubscribe(session, filter) ? .success : .noSubscriptionExisted
        }
        sendBehindMessages(.unsuback(UnsubAck(packetID: unsubscribe.packetID, reasonCodes: codes)))
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
        ending = "the client disconnected"
        finish(nil)
    }
}
