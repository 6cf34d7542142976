import Logging
import MQTTCore
import MQTTNetwork
import NIOCore
import Synchronization

// Writing, and closing with a reason.
extension ClientConnection {
    /// Takes a packet for the next write. One that the client can't take is left out (MQTT-3.1.2-24).
    func send(_ packet: Packet) {
        logUnsent(encode(packet, into: &output))
        wake()
    }

    /// Takes an answer that follows the messages that are on their way: after it, the client knows that it has them all.
    func sendBehindMessages(_ packet: Packet) {
        logUnsent(encode(packet, into: &outputBehindMessages))
        wake()
    }

    private func encode(_ packet: Packet, into buffer: inout ByteBuffer) -> MQTTXError? {
        do throws(MQTTXError) {
            try encoder.encode(packet, into: &buffer)
            return nil
        } catch {
            return error
        }
    }

    private func logUnsent(_ error: MQTTXError?) {
        if let error { log("packet not sent", error.message) }
    }

    @inline(__always)
    func acknowledge(_ type: PacketType, _ packetID: UInt16, _ code: ReasonCode = .success) {
        do throws(MQTTXError) {
            try encoder.encodeAcknowledgement(type: type, packetID: packetID, reasonCode: code, into: &output)
        } catch {
            log("acknowledgement not sent", error.message)
        }
        wake()
    }

    @inline(__always)
    func wake() {
        guard !isFlushDue else { return }
        isFlushDue = true
        loop.wake(self)
    }

    /// Writes all there is, as long as the socket takes it.
    func flush() {
        isFlushDue = false
        guard stage == .connected, let transport, let session else {
            if stage == .handshake || stage == .connected { writeOutput() }
            return
        }
        var released: [ClientConnection] = []
        var isRetainedDue = false
        retainedVisits = 0
        while transport.isWritable {
            var bytes: ByteBuffer
            (bytes, released, isRetainedDue) = session.outbound.withLock { output in
                let bytes = output.takePending(for: self)
                if bytes.readableBytes > 0 { output.bytesLeft() }
                return (bytes, output.takeReleased(), output.isRetainedDue)
            }
            if outputBytes > 0 { bytes = joined(bytes) }
            if bytes.readableBytes > 0 {
                broker.counters.bytesSent.count(bytes.readableBytes)
                transport.write(bytes)
            }
            for waiter in released { waiter.releaseFromAnywhere(on: loop) }
            if bytes.readableBytes == 0 { break }
        }
        if isRetainedDue { deliverRetained() }
        updateReading()
        watchForStall(session)
    }

    /// Acknowledgements first: CONNACK and SUBACK come before the messages that follow from them.
    private func joined(_ bytes: ByteBuffer) -> ByteBuffer {
        var joined = output
        output = ByteBuffer()
        if bytes.readableBytes > 0 { joined.writeImmutableBuffer(bytes) }
        joined.writeBuffer(&outputBehindMessages)
        outputBehindMessages = ByteBuffer()
        return joined
    }

    private func writeOutput() {
        guard output.readableBytes > 0, let transport else { return }
        broker.counters.bytesSent.count(output.readableBytes)
        transport.write(output)
        output = ByteBuffer()
    }

    func releaseFromAnywhere(on current: BrokerLoop) {
        if current === loop {
            release()
        } else {
            loop.eventLoop.execute { self.release() }
        }
    }

    // MARK: A subscriber that does not keep up

    private func watchForStall(_ session: Session) {
        guard !isWatchingStall else { return }
        let (isHolding, progress) = session.outbound.withLock { (!$0.holding.isEmpty, $0.holding.progress) }
        guard isHolding else { return }
        isWatchingStall = true
        scheduleStallCheck(session, progress, bufferedBytes)
    }

    private func scheduleStallCheck(_ session: Session, _ progress: UInt64, _ buffered: Int) {
        loop.eventLoop.scheduleTask(in: TimeAmount(broker.config.stallTimeout)) {
            self.checkForStall(session, progress, buffered)
        }
    }

    private func checkForStall(_ session: Session, _ progress: UInt64, _ buffered: Int) {
        guard stage == .connected, self.session === session else { return }
        let left = bufferedBytes
        let released: [ClientConnection]? = session.outbound.withLock { output in
            guard !output.holding.isEmpty else { return [] }
            if left < buffered { output.bytesLeft() }
            guard output.holding.progress == progress else { return nil }
            output.stall()
            return output.takeReleased()
        }
        guard let released else {
            return scheduleStallCheck(session, session.outbound.withLock { $0.holding.progress }, left)
        }
        isWatchingStall = false
        guard !released.isEmpty else { return }
        broker.counters.subscribersStalled.count()
        broker.logger?.info("subscriber takes nothing", metadata: ["client": "\(identity.clientID)"])
        for waiter in released { waiter.releaseFromAnywhere(on: loop) }
    }

    /// Bytes that the socket has not taken yet.
    private var bufferedBytes: Int {
        (try? transport?.channel?.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Says something about the client, and why, to who listens at debug level.
    func log(_ message: @autoclosure () -> String, _ reason: @autoclosure () -> String) {
        broker.logger?.debug(
            "\(message())",
            metadata: [
                "client": "\(identity.clientID)", "peer": "\(origin.peer)", "reason": "\(reason())",
            ])
    }

    // MARK: Closing

    /// How long a client may take to read the last packet before the connection is cut.
    private static let linger = TimeAmount.milliseconds(700)

    func violation(_ message: String, _ code: ReasonCode = .protocolError) {
        fail(MQTTXError(.protocolViolation, message, reasonCode: code))
    }

    /// The client broke the protocol: tells it how in 5.0, and closes (MQTT-4.13.1-1).
    func fail(_ error: MQTTXError) {
        broker.counters.violations.count()
        close(with: error.reasonCode ?? .unspecifiedError, reason: error.message)
    }

    /// Ends the connection from our side.
    func close(with code: ReasonCode, reason: String? = nil) {
        guard stage != .closing, stage != .closed else { return }
        ending = reason ?? code.text
        guard stage == .connected, isV5 else { return finish(nil) }
        var disconnect = Disconnect(reasonCode: code)
        disconnect.properties.reasonString = reason
        finish(.disconnect(disconnect))
    }

    func refuse(_ packet: Packet) {
        broker.counters.connectionsRefused.count()
        ending = ending ?? "the client was refused"
        finish(packet)
    }

    /// Another connection has the session now (MQTT-3.1.4-3). What was under way before counts all the same where nothing
    /// will send it again: messages at QoS 0, and a DISCONNECT, which takes back the will. A client that leaves and comes
    /// back at once is not to be told dead.
    func takenOver() {
        guard stage == .connected else { return }
        ending = ending ?? "another connection has its session"
        finish(isV5 ? .disconnect(Disconnect(reasonCode: .sessionTakenOver)) : nil, takesRest: true)
        while let packet = parked.popFirst() { receivedLate(packet) }
    }

    /// What comes after the session is gone.
    func receivedLate(_ packet: DecodedPacket) {
        switch packet {
        case .packet(.publish(let publish)) where publish.qos == .atMostOnce && session != nil:
            received(publish)
        case .packet(.disconnect(let disconnect)):
            if disconnect.reasonCode == .success { will = nil }
            transport?.close()
        default:
            return
        }
    }

    /// Writes what is there and the packet, then closes.
    ///
    /// - Parameter takesRest: goes on reading until the client closes as well, or for a moment.
    func finish(_ packet: Packet?, takesRest: Bool = false) {
        guard stage != .closing, stage != .closed, let transport else { return }
        // Those that came in the same read, before what ends the connection.
        if !pubacks.isEmpty { _ = settlePubacks() }
        stage = .closing
        if !takesRest {
            transport.stopReceiving()
            takeMessages()
            // Before the client can know: what comes from now on is for its next connection, and no repetition there.
            broker.leave(self)
        }
        transport.resumeReading()
        output.writeBuffer(&outputBehindMessages)
        if let packet { encodeLast(packet) }
        guard output.readableBytes > 0 || takesRest else { return transport.close() }
        let written = loop.eventLoop.makePromise(of: Void.self)
        // On plain TCP the client first reads our last packet: a close with its bytes unread would reset the connection.
        written.futureResult.whenComplete { _ in self.transport?.channel?.close(mode: .output, promise: nil) }
        loop.eventLoop.scheduleTask(in: Self.linger) { self.transport?.close() }
        transport.write(output, promise: written)
        output = ByteBuffer()
    }

    /// Takes what the session has written for this connection: it was due before the end.
    private func takeMessages() {
        guard var messages = session?.outbound.withLock({ $0.takeWritten(for: self) }) else { return }
        output.writeBuffer(&messages)
    }

    private func encodeLast(_ packet: Packet) {
        if (try? encoder.encode(packet, into: &output)) != nil { return }
        // Too large for the client with its reason string.
        switch packet {
        case .disconnect(let disconnect):
            try? encoder.encode(.disconnect(Disconnect(reasonCode: disconnect.reasonCode)), into: &output)
        case .connack(let connack):
            try? encoder.encode(.connack(ConnAck(reasonCode: connack.reasonCode)), into: &output)
        default:
            break
        }
    }
}
