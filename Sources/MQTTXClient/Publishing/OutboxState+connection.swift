internal import DequeModule
package import MQTTCore

// What the broker answers, and what becomes of all that waits or is in flight when connections come and go.
extension OutboxState {
    // MARK: Acknowledgements

    package mutating func acknowledged(_ packet: Packet, _ completions: inout Completions) {
        switch packet {
        case .puback(let ack):
            if !complete(flight.puback(ack.packetID), ack, &completions) { endExactlyOnce(ack, &completions) }
        case .pubrec(let ack):
            switch flight.pubrec(ack.packetID, reasonCode: ack.reasonCode) {
            case .release(let item):
                (item as? PublishReceipt)?.releasePayload()
                acknowledge(.pubrel, ack.packetID, .success)
            case .completed(let entry):
                complete(.completed(entry), ack, &completions)
            case .unknown:
                acknowledge(.pubrel, ack.packetID, .packetIdentifierNotFound)
            }
        case .pubcomp(let ack):
            complete(flight.pubcomp(ack.packetID), ack, &completions)
        case .suback(let suback):
            answered(suback.packetID, packet, &completions)
        case .unsuback(let unsuback):
            answered(unsuback.packetID, packet, &completions)
        default:
            break
        }
    }

    /// - Returns: whether there was something to complete.
    @discardableResult
    private mutating func complete(
        _ outcome: consuming OutgoingFlight.Outcome, _ ack: Acknowledgement, _ completions: inout Completions
    ) -> Bool {
        guard case .completed(let entry) = consume outcome, let message = entry.item as? PublishReceipt else {
            return false
        }
        // What PUBREC has accepted is delivered: an identifier not known any more when PUBREL comes again, on the next
        // connection, is no error (section 3.7.2.1).
        guard ack.reasonCode.isError, entry.stage != .awaitingPubcomp else {
            let reasonCode = ack.reasonCode.isError ? .success : ack.reasonCode
            statistics.delivered += 1
            let answer = BrokerAnswer(reasonCode, ack.properties)
            completions.receipts.append(Completion(receipt: message, outcome: .delivered(answer)))
            return true
        }
        fail(message, MQTTXError(publishRefused: ack, topic: message.topic), &completions)
        return true
    }

    /// A broker without QoS 2 took the message at QoS 1, as RabbitMQ does before 3.13. There will be no PUBREC.
    private mutating func endExactlyOnce(_ ack: Acknowledgement, _ completions: inout Completions) {
        guard case .completed(let entry) = flight.pubackOfExactlyOnce(ack.packetID),
            let message = entry.item as? PublishReceipt
        else { return }
        let error =
            ack.reasonCode.isError
            ? MQTTXError(publishRefused: ack, topic: message.topic)
            : MQTTXError(
                .publishFailed,
                "the broker took the message to '\(message.topic)' at QoS 1: it may arrive more than once")
        fail(message, error, &completions)
    }

    private mutating func answered(_ id: UInt16, _ packet: Packet, _ completions: inout Completions) {
        guard case .completed(let entry) = flight.answer(id), let request = entry.item as? PendingRequest else {
            return
        }
        requestsInFlight -= 1
        guard request.isAnswered(by: packet, encoder.version) else {
            completions.wrongAnswer = true
            completions.others.append(.answered(request, .failure(Self.unanswered)))
            return
        }
        if let again = request.again(after: packet) { return waitingRequests.append(again) }
        completions.others.append(.answered(request, .success(packet)))
    }

    /// What has been in flight since the look before the last.
    ///
    /// - Returns: the messages, and whether to look again.
    mutating func look() -> (messages: [PublishReceipt], again: Bool) {
        (messages(sent: watch.next(lastSent: flight.lastSent)), watch.isOn)
    }

    /// There will be no more looks, until something is sent.
    ///
    /// - Returns: all that is in flight.
    mutating func stopLooking() -> [PublishReceipt] {
        watch.stop()
        return messages(sent: 1..<flight.lastSent + 1)
    }

    private func messages(sent: Range<UInt64>) -> [PublishReceipt] {
        flight.items(sent: sent).compactMap { $0 as? PublishReceipt }
    }

    // MARK: The connection

    package mutating func connected(
        _ server: ServerCapabilities, maximumAliases: Int, _ completions: inout Completions
    ) {
        phase = .online(Limits(server))
        encoder = PacketEncoder(version: server.version)
        encoder.maximumPacketSize = server.maximumPacketSize
        aliases = OutgoingTopicAliases(maximum: min(server.topicAliasMaximum, maximumAliases))
        output.clear()
        guard !server.sessionPresent else {
            endRequests(flight.connectionResumed(receiveMaximum: server.receiveMaximum), &completions)
            return
        }
        let entries = flight.removeAll()
        flight.receiveMaximum = server.receiveMaximum
        completions.sessionLost = !entries.isEmpty
        endRequests(entries.filter { $0.stage == .awaitingAnswer }, &completions)
        // Newest first, each to the front: the queue keeps the order in which they were sent.
        for entry in entries.reversed() where entry.stage != .awaitingAnswer {
            guard let message = entry.item as? PublishReceipt else { continue }
            let sendAgain =
                switch entry.stage {
                case .awaitingPuback: true
                case .awaitingPubrec: limits.lostSessionQoS2 == .sendAgain
                case .awaitingPubcomp, .awaitingAnswer, .abandoned: false
                }
            if sendAgain {
                completions.others.append(.takesLong(message))
                waiting.prepend(message)
                waitingBytes += message.size
            } else {
                fail(
                    message,
                    MQTTXError(
                        .publishFailed,
                        "the outcome is unknown: the broker lost the session while a QoS 2 message was in flight"),
                    &completions)
            }
        }
    }

    private mutating func endRequests(_ entries: [OutgoingFlight.Entry], _ completions: inout Completions) {
        requestsInFlight = 0
        for request in entries.compactMap({ $0.item as? PendingRequest }) + waitingRequests {
            completions.others.append(.answered(request, .failure(Self.unanswered)))
        }
        waitingRequests.removeAll()
    }

    private static let unanswered = MQTTXError(
        .connectionLost, "the connection was lost before the broker answered")

    mutating func disconnected(_ completions: inout Completions) {
        guard case .online = phase else { return }
        phase = .seeking
        completions.lostMessages = output.unwrittenMessages
        statistics.lost += completions.lostMessages
        output.clear()
        endRequests(flight.takeRequests(), &completions)
    }

    /// No connection will follow: everything that waits or is in flight ends.
    mutating func stop(_ error: MQTTXError, _ completions: inout Completions) {
        disconnected(&completions)
        phase = .stopped
        for entry in flight.removeAll() {
            if let message = entry.item as? PublishReceipt { fail(message, error, &completions) }
        }
        for message in waiting { fail(message, error, &completions) }
        waiting.removeAll()
        waitingBytes = 0
        for waiter in roomWaiters { completions.others.append(.room(waiter)) }
        roomWaiters.removeAll()
        for continuation in drainWaiters { completions.others.append(.drained(continuation)) }
        drainWaiters = []
    }
}
