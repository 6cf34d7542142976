internal import Logging
internal import MQTTCore
internal import MQTTNetwork
internal import NIOCore
internal import Synchronization

/// One connection to the broker, from CONNECT to its end. Belongs to the event loop; the machines in it decide, it
/// carries out.
final class ClientConnection: PacketReceiver {
    /// How an attempt to connect failed.
    struct Failure: Error {
        let error: MQTTXError
        /// Whether an older version of the protocol may be what the broker wants.
        var suggestsOlderVersion = false
    }

    let core: ClientCore
    private let connect: Connect
    var exchange: (any AuthenticationExchange)?
    private let opened: EventLoopPromise<ServerCapabilities>
    private let closed: EventLoopPromise<MQTTXError>
    let eventLoop: any EventLoop

    var handshake: ClientHandshake
    /// As the handshake says; asked for every packet.
    @exclusivity(unchecked)
    private var isConnected = false
    private let isV5: Bool
    @exclusivity(unchecked)
    private var aliases: IncomingTopicAliases
    @exclusivity(unchecked)
    var keepAlive: KeepAlive?
    @exclusivity(unchecked)
    private(set) var connection: PacketConnection?
    @exclusivity(unchecked)
    private(set) var server: ServerCapabilities?
    @exclusivity(unchecked)
    private var acknowledgements: [Packet] = []
    private var ending: MQTTXError?
    /// From the first packet of a read to its end.
    @exclusivity(unchecked)
    private var isReading = false
    @exclusivity(unchecked)
    private var holdsTasks = false
    @exclusivity(unchecked)
    private var owesFlush = false
    private var isOpenedDone = false
    private var isFinished = false
    private var handshakeTimer: Scheduled<Void>?
    private var keepAliveTimer: Scheduled<Void>?
    var stallTimer: Scheduled<Void>?
    var pauseTimer: Scheduled<Void>?
    var parkingTimer: Scheduled<Void>?
    var authenticationTask: Task<Void, Never>?
    var reauthentication: EventLoopPromise<Void>?
    /// What came with the CONNACK, until the authentication method has looked at that.
    @exclusivity(unchecked)
    private var heldBack: [DecodedPacket]?

    /// Made on the event loop.
    init(
        core: ClientCore, connect: Connect, exchange: (any AuthenticationExchange)?,
        opened: EventLoopPromise<ServerCapabilities>, closed: EventLoopPromise<MQTTXError>
    ) {
        self.core = core
        self.connect = connect
        self.exchange = exchange
        self.opened = opened
        self.closed = closed
        eventLoop = core.eventLoop
        inbound = core.inbound.value
        handshake = ClientHandshake(connect: connect)
        isV5 = connect.version == .v5
        aliases = IncomingTopicAliases(maximum: Int(core.config.topicAliasMaximum))
    }

    let inbound: Inbound

    // MARK: PacketReceiver

    func connectionOpened(_ connection: PacketConnection) {
        self.connection = connection
        core.current.value = self
        var bytes = ByteBuffer()
        do {
            try PacketEncoder(version: connect.version).encode(.connect(connect), into: &bytes)
            connection.write(bytes)
        } catch {
            fail(error)
            return
        }
        let timeout = TimeAmount(core.config.connectTimeout)
        handshakeTimer = eventLoop.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
            self?.fail(MQTTXError(.connectionTimeout, "the broker did not answer the CONNECT in time"))
        }
    }

    func received(_ item: DecodedPacket, from connection: PacketConnection) {
        beginTurn()
        guard heldBack == nil else {
            heldBack?.append(item)
            return
        }
        switch item {
        case .packet(.publish(let publish)):
            receive(publish, isApart: true, connection)
        case .packet(let packet):
            receive(packet)
        case .skippedPublish(let publish):
            skip(publish, connection)
        }
    }

    func received(_ publish: consuming Publish, from connection: PacketConnection) {
        beginTurn()
        guard heldBack == nil else {
            heldBack?.append(.packet(.publish(publish)))
            return
        }
        receive(publish, isApart: false, connection)
    }

    private func receive(_ publish: consuming Publish, isApart: Bool, _ connection: PacketConnection) {
        guard isConnected else { return unexpected("a PUBLISH before the CONNACK") }
        if isV5, publish.topic.isEmpty || publish.properties.topicAlias != nil {
            do throws(MQTTXError) {
                try aliases.resolve(&publish)
                publish.properties.removeTopicAlias()
            } catch {
                return violated(error, on: connection)
            }
        }
        if case .violation(let error) = inbound.receive(publish, isApart: isApart, from: connection) {
            violated(error, on: connection)
        }
    }

    private func skip(_ skipped: SkippedPublish, _ connection: PacketConnection) {
        var publish = Publish(topic: skipped.topic, payload: ByteBuffer(), properties: skipped.properties)
        if isV5, publish.topic.isEmpty || publish.properties.topicAlias != nil {
            do throws(MQTTXError) {
                try aliases.resolve(&publish)
            } catch {
                return violated(error, on: connection)
            }
        }
        inbound.skipped(skipped, topic: publish.topic)
    }

    private func receive(_ packet: Packet) {
        switch packet {
        case .connack(let connack):
            act { () throws(MQTTXError) in try handshake.received(connack) }
        case .auth(let auth):
            act { () throws(MQTTXError) in try handshake.received(auth) }
        case .disconnect(let disconnect) where isConnected:
            ended(by: disconnect)
        case .puback, .pubrec, .pubcomp, .suback, .unsuback:
            guard isConnected else { return unexpected("\(packet.type) before the CONNACK") }
            acknowledgements.append(packet)
            if acknowledgements.count >= 512 { takeAcknowledgements() }
        case .pubrel(let ack):
            guard isConnected else { return unexpected("a PUBREL before the CONNACK") }
            let reasonCode = inbound.incoming.release(ack.packetID)
            core.outbox.write(.pubcomp(Acknowledgement(packetID: ack.packetID, reasonCode: reasonCode)))
        case .pingresp where isConnected:
            break
        default:
            unexpected("a \(packet.type)")
        }
    }

    func readCompleted(_ connection: PacketConnection) {
        keepAlive?.didRead()
        takeAcknowledgements()
        guard isConnected, server != nil else { return giveUpTurn() }
        sendReady()
        if inbound.readCompleted(awaitsAnswer: { core.awaitsAnswer }) { pause() }
        if inbound.incoming.owedCount > 0 { watchForStall() }
        watchParking()
        endTurn()
        if !connection.isWritable, core.outbox.isBlocked { pause() }
    }

    // MARK: The end of a read

    /// Tasks on the event loop that go on because of what is being read do so when it is read, and what they send leaves at
    /// once: without another round of the event loop.
    private func beginTurn() {
        guard !isReading else { return }
        isReading = true
        holdsTasks = core.executor.hold()
        if core.outbox.takeOverFlush() { owesFlush = true }
    }

    private func endTurn() {
        isReading = false
        if holdsTasks {
            holdsTasks = false
            core.executor.release()
        }
        // What tasks have still to answer to this read goes into the same write.
        if !core.executor.isBusy {
            core.outbox.flush()
            core.executor.turnEnded()
        } else if owesFlush || core.outbox.takeOverFlush() {
            core.outbox.scheduleFlush()
        }
        owesFlush = false
    }

    /// Where nothing may be sent yet, or nothing any more: tasks go on when the connection counts as what it is, and never
    /// within a call that closes it.
    private func giveUpTurn() {
        isReading = false
        if holdsTasks { eventLoop.execute { [executor = core.executor] in executor.release() } }
        if owesFlush { core.outbox.scheduleFlush() }
        holdsTasks = false
        owesFlush = false
    }

    func violated(_ error: MQTTXError, on connection: PacketConnection) {
        let message = MQTTXError(
            error.code, "the broker broke the protocol: \(error.message)", reasonCode: error.reasonCode)
        connection.stopReceiving()
        if connect.version == .v5, isConnected, let reasonCode = error.reasonCode {
            core.outbox.flush(last: Disconnect(reasonCode: reasonCode))
        }
        fail(message, suggestsOlderVersion: !isConnected)
    }

    func writabilityChanged(_ isWritable: Bool, on connection: PacketConnection) {}

    func connectionClosed(_ error: (any Error)?, connection: PacketConnection) {
        takeAcknowledgements()
        giveUpTurn()
        let translated = error.map { $0 as? MQTTXError ?? core.translate($0) }
        let wasConnected = isConnected
        let cause =
            ending ?? (wasConnected ? translated : translated?.beforeConnected)
            ?? MQTTXError(
                wasConnected ? .connectionLost : .connectionFailed,
                wasConnected
                    ? "the broker closed the connection" : "the broker closed the connection without an answer")
        finish(cause, suggestsOlderVersion: ending == nil && !wasConnected && translated?.code != .tlsFailed)
    }

    // MARK: Getting connected

    private func act(_ step: () throws(MQTTXError) -> ClientHandshake.Action) {
        do throws(MQTTXError) {
            let action = try step()
            isConnected = handshake.isConnected
            switch action {
            case .connected(let server): established(server)
            case .refused(let error):
                fail(error, suggestsOlderVersion: error.reasonCode == .unsupportedProtocolVersion)
            case .challenge(let auth): respond(to: auth)
            case .reauthenticated(let auth):
                finishAuthentication(auth.properties) {
                    self.reauthentication?.succeed()
                    self.reauthentication = nil
                }
            }
        } catch {
            if let connection { violated(error, on: connection) }
        }
    }

    private func established(_ server: ServerCapabilities) {
        guard exchange != nil, let connection else { return ready(server) }
        heldBack = []
        connection.pauseReading()
        finishAuthentication(server.properties) {
            let held = self.heldBack ?? []
            self.heldBack = nil
            self.ready(server)
            for item in held where self.ending == nil { self.received(item, from: connection) }
            connection.resumeReading()
            self.readCompleted(connection)
        }
    }

    private func ready(_ server: ServerCapabilities) {
        guard let connection, ending == nil else { return }
        handshakeTimer?.cancel()
        self.server = server
        keepAlive = KeepAlive(
            interval: .seconds(Int64(server.keepAlive)), timeout: core.keepAliveTimeout(server), now: .now)
        // On MQTT 3.1.1 the broker was told of no limit but the number of identifiers.
        let receiveMaximum = isV5 ? max(1, core.config.receiveMaximum) : .max
        inbound.connectionStarted(sessionPresent: server.sessionPresent, receiveMaximum: Int(receiveMaximum))
        core.established(server, on: connection)
        isOpenedDone = true
        opened.succeed(server)
        checkKeepAlive()
    }

    /// Before the CONNACK the outbox is not ours yet.
    func send(_ packet: Packet) {
        guard let connection else { return }
        if isConnected, server != nil { return core.outbox.write(packet) }
        var bytes = ByteBuffer()
        do {
            try PacketEncoder(version: connect.version).encode(packet, into: &bytes)
            connection.write(bytes)
        } catch {
            fail(error)
        }
    }

    // MARK: Acknowledgements

    private func takeAcknowledgements() {
        guard !acknowledgements.isEmpty else { return }
        let areAnswers = core.outbox.acknowledged(acknowledgements)
        acknowledgements.removeAll(keepingCapacity: true)
        if !areAnswers { unexpected("an answer with codes for other filters than were asked for") }
    }

    /// Handlers have returned.
    func completed() {
        sendReady()
        core.outbox.flush()
        resumeIfPossible()
    }

    func handlersChanged() {
        guard let connection, isConnected else { return }
        inbound.handlersChanged(connection)
        sendReady()
        core.outbox.flush()
    }

    func sendReady() { core.outbox.acknowledge { inbound.incoming.nextReady() } }

    // MARK: Keep alive

    private func checkKeepAlive() {
        let now = ContinuousClock.now
        switch keepAlive?.check(now: now) {
        case nil:
            return
        case .ping:
            core.outbox.write(.pingreq)
            checkKeepAlive()
        case .timedOut:
            fail(
                MQTTXError(
                    .connectionLost, "the broker did not answer a ping in time", reasonCode: .keepAliveTimeout))
        case .wait(let deadline):
            let delay = TimeAmount(now.duration(to: deadline)) + .milliseconds(1)
            keepAliveTimer = eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
                self?.checkKeepAlive()
            }
        }
    }

    // MARK: The end

    /// Sends DISCONNECT and closes.
    func disconnect(_ packet: Disconnect) {
        guard let connection else { return }
        ending = ending ?? MQTTXError(.notConnected, "the client disconnected")
        guard isConnected, server != nil else { return connection.close() }
        var packet = packet
        if (connect.properties.sessionExpiryInterval ?? 0) == 0 { packet.properties.sessionExpiryInterval = nil }
        // MQTT 3.1.1 has no word for this; without any the broker publishes the will.
        let isSilent = connect.version == .v3_1_1 && packet.reasonCode == .disconnectWithWill
        connection.stopReceiving()
        // A peer that reads nothing must not keep us: what it has not taken by then it will not take.
        let deadline = eventLoop.assumeIsolated().scheduleTask(in: .seconds(5)) { connection.close() }
        let flushed = core.outbox.flush(last: isSilent ? nil : packet) ?? eventLoop.makeSucceededVoidFuture()
        flushed.assumeIsolated().whenComplete { _ in
            deadline.cancel()
            connection.close()
        }
    }

    private func ended(by disconnect: Disconnect) {
        let code: ErrorCode = disconnect.reasonCode == .sessionTakenOver ? .sessionTakenOver : .connectionLost
        let reason = disconnect.properties.reasonString.map { ": \($0)" } ?? ""
        fail(
            MQTTXError(
                code, "the broker ended the connection: \(disconnect.reasonCode.text)\(reason)",
                reasonCode: disconnect.reasonCode, properties: disconnect.properties))
    }

    func unexpected(_ what: String) {
        guard let connection else { return }
        violated(
            MQTTXError(.protocolViolation, "\(what) was not expected", reasonCode: .protocolError), on: connection)
    }

    func fail(_ error: MQTTXError, suggestsOlderVersion: Bool = false) {
        if ending == nil { ending = error }
        guard let connection else { return finish(error, suggestsOlderVersion: suggestsOlderVersion) }
        connection.stopReceiving()
        if suggestsOlderVersion { finish(error, suggestsOlderVersion: true) }
        connection.close()
    }

    private func finish(_ error: MQTTXError, suggestsOlderVersion: Bool) {
        guard !isFinished else { return }
        isFinished = true
        for timer in [handshakeTimer, keepAliveTimer, stallTimer, parkingTimer] { timer?.cancel() }
        pauseTimer?.cancel()
        authenticationTask?.cancel()
        reauthentication?.fail(error)
        reauthentication = nil
        connection = nil
        if core.current.value === self { core.current.value = nil }
        guard isOpenedDone else {
            isOpenedDone = true
            opened.fail(Failure(error: error, suggestsOlderVersion: suggestsOlderVersion))
            closed.succeed(error)
            return
        }
        core.outbox.disconnected()
        // From here on nobody takes us for connected; the connection loop says what comes next.
        core.setState(.waiting(delay: .zero, cause: error))
        closed.succeed(error)
    }
}

extension MQTTXError {
    /// What was not there yet can't be lost.
    fileprivate var beforeConnected: MQTTXError {
        guard code == .connectionLost else { return self }
        return MQTTXError(.connectionFailed, message, cause: cause)
    }
}
