internal import DequeModule
package import MQTTCore
package import NIOCore

/// Everything on its way to the broker, as a value: what waits, what is in flight, and the bytes of the next write.
/// ``Outbox`` guards it with a lock; nothing in here calls out.
package struct OutboxState: ~Copyable {
    /// Whether messages are taken.
    enum Phase {
        /// Nobody is connecting: messages are refused.
        case stopped
        /// A connection is sought: messages wait, or are refused, as configured.
        case seeking
        case online(Limits)
    }

    /// What the server lets us publish.
    struct Limits {
        let maximumQoS: QoS
        let isRetainAvailable: Bool

        init(_ server: ServerCapabilities) {
            maximumQoS = server.maximumQoS
            isRetainAvailable = server.isRetainAvailable
        }
    }

    /// What became of a message that was handed in.
    package enum Submission {
        /// QoS 0, on its way to the socket: done.
        case written
        /// In flight or queued: the receipt will tell.
        case taken
        /// The queue is full: wait for room and try again.
        case full
        case refused(MQTTXError)
    }

    /// How a message ended.
    package struct Completion {
        package let receipt: PublishReceipt
        package let outcome: PublishOutcome
    }

    /// Receipts to complete, once the lock is released.
    package struct Completions {
        package var receipts: [Completion]
        /// What is rare, in one list: most of these values are made and thrown away for a single receipt.
        var others: [Other] = []
        var lostMessages = 0
        var sessionLost = false
        /// A SUBACK or UNSUBACK came that is no answer to what was asked.
        var wrongAnswer = false

        /// - Parameter receipts: empty, for the memory that it has.
        package init(receipts: [Completion] = []) { self.receipts = receipts }

        enum Other {
            /// A SUBSCRIBE or UNSUBSCRIBE.
            case answered(PendingRequest, Result<Packet, MQTTXError>)
            /// A message that was in flight waits again.
            case takesLong(PublishReceipt)
            /// There is room in the queue.
            case room(RoomWaiter)
            /// Nothing waits any more.
            case drained(UnsafeContinuation<Void, Never>)
            /// A message, beside its receipt.
            case failed(topic: String, MQTTXError)
        }
    }

    let limits: QueueLimits
    var phase = Phase.stopped
    var encoder = PacketEncoder(version: .v5)
    var aliases = OutgoingTopicAliases(maximum: 0)
    var flight = OutgoingFlight()
    var watch = FlightWatch()
    var waiting = Deque<PublishReceipt>()
    var waitingBytes = 0
    var roomWaiters = Deque<RoomWaiter>()
    var drainWaiters: [UnsafeContinuation<Void, Never>] = []
    var requestsInFlight = 0
    /// SUBSCRIBEs and UNSUBSCRIBEs for which there is no packet identifier at present.
    var waitingRequests = Deque<PendingRequest>()
    package var output = WriteBuffer()
    var isFlushScheduled = false
    var statistics = OutboxStatistics()

    package init(limits: QueueLimits) { self.limits = limits }

    /// Whether the broker owes us an answer.
    var awaitsAnswer: Bool { flight.count > 0 || requestsInFlight > 0 }

    // MARK: Publishing

    /// The whole way of a message at QoS 0 in the common case: into the bytes of the next write.
    package mutating func tryWrite(
        _ topic: String, _ payload: ByteBuffer, retain: Bool, _ properties: Properties
    ) throws(MQTTXError) -> Bool {
        guard case .online = phase, waiting.isEmpty, output.hasRoom else { return false }
        try encode(topic, payload, .atMostOnce, retain: retain, properties, packetID: 0)
        statistics.delivered += 1
        return true
    }

    /// The whole way of a message at QoS 1 and 2 in the common case: in flight, and into the bytes of the next write.
    package mutating func trySend(_ message: PublishReceipt) throws(MQTTXError) -> Bool {
        guard case .online = phase, waiting.isEmpty, output.hasRoom, message.qos != .atMostOnce else { return false }
        return try send(message)
    }

    package mutating func submit(_ message: PublishReceipt, completions: inout Completions) -> Submission {
        switch phase {
        case .stopped:
            return .refused(MQTTXError(.notConnected, "the client is not connected"))
        case .seeking:
            if limits.whileDisconnected == .refuse {
                return .refused(MQTTXError(.notConnected, "the connection is away and messages are not queued"))
            }
        case .online:
            do throws(MQTTXError) {
                if try trySend(message) { return .taken }
                if message.qos == .atMostOnce, waiting.isEmpty, output.hasRoom {
                    try write(message)
                    return .written
                }
            } catch {
                return .refused(error)
            }
        }
        return enqueue(message, completions: &completions)
    }

    private mutating func enqueue(_ message: PublishReceipt, completions: inout Completions) -> Submission {
        let size = message.size
        while !waiting.isEmpty, isFull(for: size) {
            let full = MQTTXError(.queueFull, "the queue of messages to be sent is full")
            switch limits.policy {
            case .wait:
                return .full
            case .fail:
                return .refused(full)
            case .dropNewest:
                statistics.failures += 1
                completions.others.append(.failed(topic: message.topic, full))
                return .refused(full)
            case .dropOldest:
                let oldest = waiting.removeFirst()
                waitingBytes -= oldest.size
                fail(oldest, full, &completions)
            }
        }
        waitingBytes += size
        waiting.append(message)
        return .taken
    }

    private func isFull(for size: Int) -> Bool {
        (limits.maxMessages > 0 && waiting.count >= limits.maxMessages) || waitingBytes + size > limits.maxBytes
    }

    /// Sends what waits, as far as the window and the socket allow, oldest first.
    mutating func pump(_ completions: inout Completions) {
        guard case .online = phase else { return }
        sendWaitingRequests(&completions)
        while output.hasRoom, let resend = flight.nextToResend() { sendAgain(resend, &completions) }
        while !flight.hasResends, output.hasRoom, let next = waiting.first {
            do throws(MQTTXError) {
                if next.qos == .atMostOnce {
                    try write(next)
                    completions.receipts.append(Completion(receipt: next, outcome: .written))
                } else if try !send(next) {
                    break
                }
            } catch {
                fail(next, error, &completions)
            }
            waitingBytes -= next.size
            waiting.removeFirst()
        }
        wakeRoomWaiters(&completions)
        if !drainWaiters.isEmpty, isDrained {
            for continuation in drainWaiters { completions.others.append(.drained(continuation)) }
            drainWaiters = []
        }
    }

    var isDrained: Bool {
        waiting.isEmpty && flight.count == 0 && roomWaiters.isEmpty && !flight.hasResends
            && output.unwrittenMessages == 0
    }

    private mutating func wakeRoomWaiters(_ completions: inout Completions) {
        var room = limits.maxMessages > 0 ? limits.maxMessages - waiting.count : 256
        guard waitingBytes < limits.maxBytes else { return }
        while room > 0, let waiter = roomWaiters.popFirst() {
            completions.others.append(.room(waiter))
            room -= 1
        }
    }

    /// - Returns: false if the window is full.
    private mutating func send(_ message: PublishReceipt) throws(MQTTXError) -> Bool {
        guard let id = flight.add(message, qos: message.qos) else { return false }
        do throws(MQTTXError) {
            try write(message, packetID: id)
            return true
        } catch {
            flight.withdraw(id)
            throw error
        }
    }

    private mutating func sendAgain(_ resend: OutgoingFlight.Resend, _ completions: inout Completions) {
        switch resend {
        case .publish(let id, let item):
            guard let message = item as? PublishReceipt else { return }
            do throws(MQTTXError) {
                try message.withPublish { publish throws(MQTTXError) in
                    try encoder.encodePublish(
                        topic: publish.topic, payload: publish.payload, qos: publish.qos, retain: publish.retain,
                        dup: true, packetID: id, properties: publish.properties, into: &output.bytes)
                }
                statistics.sent += 1
            } catch {
                // It went out before within other limits, or with an alias for its topic.
                flight.abandon(id)
                fail(message, error, &completions)
            }
        case .pubrel(let id):
            try? encoder.encodeAcknowledgement(type: .pubrel, packetID: id, into: &output.bytes)
        }
    }

    /// Adds a message to the next write.
    private mutating func write(_ message: PublishReceipt, packetID: UInt16 = 0) throws(MQTTXError) {
        try message.withPublish { publish throws(MQTTXError) in
            try encode(
                publish.topic, publish.payload, publish.qos, retain: publish.retain, publish.properties,
                packetID: packetID)
        }
        if packetID == 0 { statistics.delivered += 1 }
    }

    private func check(_ topic: String, _ qos: QoS, retain: Bool) throws(MQTTXError) {
        guard case .online(let limits) = phase, qos > limits.maximumQoS || (retain && !limits.isRetainAvailable) else {
            return
        }
        // What is wrong with any broker is said first.
        try TopicName.validate(topic)
        guard qos <= limits.maximumQoS else {
            throw MQTTXError(
                .publishFailed, "the broker takes QoS \(limits.maximumQoS.rawValue) at most",
                reasonCode: .qosNotSupported)
        }
        throw MQTTXError(.publishFailed, "the broker keeps no retained messages", reasonCode: .retainNotSupported)
    }

    /// From its parts: to make a message of them would count references up and down.
    @inline(__always)
    private mutating func encode(
        _ topic: String, _ payload: ByteBuffer, _ qos: QoS, retain: Bool, _ properties: Properties, packetID: UInt16
    ) throws(MQTTXError) {
        // Nothing can be wrong with most messages at QoS 0.
        if qos != .atMostOnce || retain { try check(topic, qos, retain: retain) }
        let (alias, sendTopic) = aliases.alias(for: topic)
        do throws(MQTTXError) {
            try encoder.encodePublish(
                topic: topic, payload: payload, qos: qos, retain: retain, dup: false, packetID: packetID,
                properties: properties, topicAlias: alias, sendTopic: sendTopic, into: &output.bytes)
        } catch {
            guard sendTopic, alias != nil else { throw error }
            aliases.forget(topic)
            // Three bytes fewer may fit.
            try encoder.encodePublish(
                topic: topic, payload: payload, qos: qos, retain: retain, dup: false, packetID: packetID,
                properties: properties, into: &output.bytes)
        }
        statistics.sent += 1
        if qos == .atMostOnce { output.messages += 1 }
    }

    mutating func fail(_ message: PublishReceipt, _ error: MQTTXError, _ completions: inout Completions) {
        statistics.failures += 1
        completions.receipts.append(Completion(receipt: message, outcome: .failed(error)))
        completions.others.append(.failed(topic: message.topic, error))
    }

    // MARK: Requests and other packets

    /// Sends a SUBSCRIBE or UNSUBSCRIBE, when there is a packet identifier for it.
    ///
    /// - Returns: false when there is no connection.
    mutating func request(_ request: PendingRequest) throws(MQTTXError) -> Bool {
        guard case .online = phase else { return false }
        if waitingRequests.isEmpty, try send(request) { return true }
        waitingRequests.append(request)
        return true
    }

    /// - Returns: false if all 65,535 packet identifiers are in use.
    private mutating func send(_ request: PendingRequest) throws(MQTTXError) -> Bool {
        guard let id = flight.addRequest(request) else { return false }
        do throws(MQTTXError) {
            try encoder.encode(request.packet(id), into: &output.bytes)
            requestsInFlight += 1
            return true
        } catch {
            flight.withdraw(id)
            throw error
        }
    }

    private mutating func sendWaitingRequests(_ completions: inout Completions) {
        while let request = waitingRequests.first {
            do throws(MQTTXError) {
                guard try send(request) else { return }
            } catch {
                completions.others.append(.answered(request, .failure(error)))
            }
            waitingRequests.removeFirst()
        }
    }

    /// Any packet that is neither PUBLISH nor a request.
    ///
    /// A server whose limit leaves no room for reason string and user properties gets it without them (MQTT-3.14.2-3, -4,
    /// MQTT-3.15.2-2, -3).
    mutating func write(_ packet: Packet) {
        answer { encoder, buffer in
            if (try? encoder.encode(packet, into: &buffer)) != nil { return }
            try? encoder.encode(packet.withoutExplanation, into: &buffer)
        }
    }

    /// PUBACK, PUBREC, PUBREL and PUBCOMP. What is too large for the broker even so short is left out.
    mutating func acknowledge(_ type: PacketType, _ packetID: UInt16, _ reasonCode: ReasonCode) {
        answer { encoder, buffer in
            try? encoder.encodeAcknowledgement(
                type: type, packetID: packetID, reasonCode: reasonCode, into: &buffer)
        }
    }

    private mutating func answer(_ write: (borrowing PacketEncoder, inout ByteBuffer) -> Void) {
        let before = output.bytes.readableBytes
        write(encoder, &output.bytes)
        output.answers += output.bytes.readableBytes - before
    }

}

/// Counters kept under the outbox's lock.
struct OutboxStatistics: Sendable {
    var sent = 0
    var delivered = 0
    var failures = 0
    var lost = 0
}

/// A task that waits for room in the queue.
struct RoomWaiter {
    let id: UInt64
    let continuation: UnsafeContinuation<Void, Never>
}
