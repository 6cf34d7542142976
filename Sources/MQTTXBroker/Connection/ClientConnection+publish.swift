import MQTTCore
import MQTTNetwork
import NIOCore
import Synchronization

// PUBLISH and its acknowledgements, both ways.
extension ClientConnection {
    /// Whether the client sent more than the Receive Maximum that we announced (section 3.3.4); the connection then ends.
    ///
    /// QoS 1 is acknowledged as soon as it is handed on, unless we hold the client. What it sends then fills `parked`, and
    /// that stops the reading: clients that know no Receive Maximum, MQTT.js among them, would come back with all of it
    /// and be closed again, for ever.
    func isOverQuota(_ publish: Publish) -> Bool {
        guard isV5, publish.qos == .exactlyOnce,
            parked.exactlyOnce + openExactlyOnce.count >= Int(broker.policy.receiveMaximum),
            !openExactlyOnce.contains(publish.packetID)
        else { return false }
        violation("more messages unacknowledged than Receive Maximum", .receiveMaximumExceeded)
        return true
    }

    func received(_ publish: consuming Publish) {
        if isV5 {
            guard !isOverQuota(publish), resolveAlias(&publish) else { return }
        }
        guard publish.qos <= broker.policy.maximumQoS else {
            return violation("QoS above the maximum", .qosNotSupported)
        }
        guard !publish.retain || broker.policy.isRetainAvailable else {
            return violation("no message is retained here", .retainNotSupported)
        }
        loop.tally.received += 1
        switch publish.qos {
        case .atMostOnce:
            _ = forward(publish)
        case .atLeastOnce:
            let packetID = publish.packetID
            acknowledge(.puback, packetID, forward(publish))
        case .exactlyOnce:
            receivedExactlyOnce(publish)
        }
    }

    private func resolveAlias(_ publish: inout Publish) -> Bool {
        guard publish.topic.isEmpty || !publish.properties.isEmpty else { return true }
        do throws(MQTTXError) {
            try aliases.resolve(&publish)
            return true
        } catch {
            fail(error)
            return false
        }
    }

    /// The message is handed on at once; the identifier is remembered until PUBREL (section 4.3.3).
    private func receivedExactlyOnce(_ publish: Publish) {
        guard let session else { return }
        openExactlyOnce.insert(publish.packetID)
        let verdict = session.inbound.withLock { $0.receive(packetID: publish.packetID, qos: .exactlyOnce) }
        var code = ReasonCode.success
        if case .deliver(let ticket) = verdict {
            code = forward(publish)
            // Only a PUBACK tells that nobody subscribed, as clients are used to it; a PUBREC may, but does not.
            if code == .noMatchingSubscribers { code = .success }
            session.inbound.withLock { $0.complete(ticket, reasonCode: code) }
        }
        while let ready = session.inbound.withLock({ $0.nextReady() }) {
            if ready.reasonCode.isError { openExactlyOnce.remove(ready.packetID) }
            acknowledge(.pubrec, ready.packetID, ready.reasonCode)
        }
    }

    /// A PUBLISH whose payload is larger than we take.
    func received(_ publish: SkippedPublish) {
        broker.counters.messagesDropped.count()
        guard publish.qos <= broker.policy.maximumQoS else {
            return violation("QoS above the maximum", .qosNotSupported)
        }
        if isV5 { return violation("the payload is too large", .packetTooLarge) }
        switch publish.qos {
        case .atMostOnce: break
        case .atLeastOnce: acknowledge(.puback, publish.packetID)
        case .exactlyOnce: acknowledge(.pubrec, publish.packetID)
        }
    }

    /// Hands the message to all who subscribed.
    ///
    /// - Returns: the reason code for its acknowledgement.
    private func forward(_ publish: consuming Publish) -> ReasonCode {
        let generation = broker.router.generation
        if generation != lastGeneration || !publish.topic.hasSameBytes(as: lastTopic) {
            mayPublishLast = broker.mayPublish(publish.topic, by: identity)
            lastRoute = loop.route(for: publish.topic, in: broker.router)
            lastTopic = publish.topic
            lastGeneration = generation
        }
        guard mayPublishLast else {
            log("message refused", "\(publish.topic.debugDescription) is not allowed")
            return .notAuthorized
        }
        var publication = Publication(
            MessageContent(topic: publish.topic, payload: publish.payload, properties: publish.properties),
            qos: publish.qos, retain: publish.retain, origin: session)
        if publish.retain, !broker.retained.store(publication.message()) {
            log("message not retained", "there is no room for another")
            // Who can't be told would take it for delivered: so it is, to those who are there.
            if isV5, publish.qos > .atMostOnce { return .quotaExceeded }
        }
        guard !lastRoute.isEmpty else { return .noMatchingSubscribers }
        holds += broker.deliver(
            &publication, along: lastRoute, on: loop, publisher: stage == .connected ? self : nil)
        return .success
    }

    // MARK: Acknowledgements of what the session sent

    /// All that came in one read, with one look into the session.
    ///
    /// - Returns: false if one of them is for a message that awaits another acknowledgement.
    func settlePubacks() -> Bool {
        defer { pubacks.removeAll(keepingCapacity: pubacks.count < 256) }
        guard let session else { return true }
        wake()
        return session.outbound.withLock { output in pubacks.allSatisfy { output.puback($0) } }
    }

    func violation(by acknowledgement: PacketType) {
        violation("a \(acknowledgement) for a message that awaits another acknowledgement")
    }

    func received(pubrec: Acknowledgement) {
        guard let session else { return }
        let isKnown = session.outbound.withLock {
            $0.pubrec(pubrec.packetID, isError: pubrec.reasonCode.isError)
        }
        guard let isKnown else { return violation(by: .pubrec) }
        if pubrec.reasonCode.isError { return wake() }
        acknowledge(.pubrel, pubrec.packetID, isKnown ? .success : .packetIdentifierNotFound)
    }

    func received(pubcomp: Acknowledgement) {
        guard session?.outbound.withLock({ $0.pubcomp(pubcomp.packetID) }) != false else {
            return violation(by: .pubcomp)
        }
        wake()
    }

    /// A late PUBREL is answered, never fatal.
    func received(pubrel: Acknowledgement) {
        guard let session else { return }
        openExactlyOnce.remove(pubrel.packetID)
        acknowledge(.pubcomp, pubrel.packetID, session.inbound.withLock { $0.release(pubrel.packetID) })
    }
}
