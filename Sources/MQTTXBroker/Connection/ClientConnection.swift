import DequeModule
import Logging
import MQTTCore
import MQTTNetwork
import NIOCore
import Synchronization

/// One client's connection: takes its packets from the transport, and writes what its session has for it.
///
/// Members belong to the connection's event loop, hence unchecked, but for ``flush()`` and ``release()``, which others
/// call on that loop. Those that are used for every message are unchecked for exclusive access as well: nothing that is called
/// while one is being changed comes back here.
final class ClientConnection: PacketReceiver, @unchecked Sendable {
    enum Stage {
        case handshake, connected, closing, closed
    }

    let broker: BrokerCore
    let loop: BrokerLoop
    let origin: ConnectionOrigin
    let trace: PacketTrace?

    @exclusivity(unchecked)
    var transport: PacketConnection?
    @exclusivity(unchecked)
    var stage = Stage.handshake
    /// There is no room for it: it is here to be told so.
    var isSurplus = false
    /// Why it is closed from this side, or the client said it would.
    var ending: String?
    var handshake: ServerHandshake
    @exclusivity(unchecked)
    var encoder = PacketEncoder(version: .v3_1_1)
    /// Packets of the connection itself, acknowledgements above all; they go out before what the session has.
    @exclusivity(unchecked)
    var output = ByteBuffer()
    /// Those that go out behind what the session has.
    @exclusivity(unchecked)
    var outputBehindMessages = ByteBuffer()
    @exclusivity(unchecked)
    var isFlushDue = false

    // From CONNECT on.
    @exclusivity(unchecked)
    var session: Session?
    var identity = ClientIdentity(clientID: "", username: nil)
    var will: PendingWill?
    /// As CONNECT or DISCONNECT set it: seconds, nil for ever.
    var sessionExpiry: UInt32? = 0
    @exclusivity(unchecked)
    var aliases: IncomingTopicAliases
    @exclusivity(unchecked)
    var watch: KeepAliveWatch?
    var attempt: ConnectAttempt?
    var exchange: (any EnhancedAuthentication)?
    /// Ends with the connection: ``connectionClosed(_:connection:)`` cancels it.
    var authentication: Task<Void, Never>?

    // What waits.
    @exclusivity(unchecked)
    var parked = ParkedPackets()
    @exclusivity(unchecked)
    var isAuthenticating = false
    @exclusivity(unchecked)
    var holds = 0
    /// Levels looked at for retained messages, and messages handed out, since the last flush.
    var retainedVisits = 0
    var isDraining = false
    @exclusivity(unchecked)
    var pubacks: [UInt16] = []
    /// QoS 2 messages of this connection between PUBLISH and PUBREL.
    var openExactlyOnce: Set<UInt16> = []
    var isWatchingStall = false
    @exclusivity(unchecked)
    private var bytesCounted: UInt64 = 0
    /// What is entered in the account of all clients for a packet that has not wholly arrived.
    @exclusivity(unchecked)
    private var partialBytes = 0
    @exclusivity(unchecked)
    private var lastReadAt = ContinuousClock.now

    // The topic published to last, and where it leads.
    @exclusivity(unchecked)
    var lastTopic = ""
    @exclusivity(unchecked)
    var lastRoute = Route.none
    @exclusivity(unchecked)
    var lastGeneration: UInt64 = 0
    @exclusivity(unchecked)
    var mayPublishLast = false

    private var timer: Scheduled<Void>?

    init(broker: BrokerCore, loop: BrokerLoop, origin: ConnectionOrigin, trace: PacketTrace?) {
        self.broker = broker
        self.loop = loop
        self.origin = origin
        self.trace = trace
        handshake = ServerHandshake(policy: broker.policy, spareID: broker.spareClientID())
        aliases = IncomingTopicAliases(maximum: Int(broker.policy.topicAliasMaximum))
    }

    var isV5: Bool { encoder.version == .v5 }
    /// It said so with its protocol level, as mosquitto's bridges do. What it publishes does not come back to it, and what is
    /// retained stays so on its way through, as 5.0 has a client ask for itself.
    var isBridge: Bool { transport?.decoder.requestedProtocolLevel == ProtocolVersion.bridgeLevel }
    var isHeld: Bool { holds > 0 || isAuthenticating }

    // MARK: PacketReceiver

    func connectionOpened(_ connection: PacketConnection) {
        transport = connection
        guard let timeout = broker.opened(self) else {
            ending = "there is no room"
            return connection.close()
        }
        setTimer(TimeAmount(timeout)) { $0.connectTimedOut() }
    }

    func received(_ publish: consuming Publish, from connection: PacketConnection) {
        if stage == .connected, !isHeld, parked.isEmpty {
            received(publish)
        } else {
            receivedOther(.packet(.publish(publish)))
        }
    }

    func received(_ packet: DecodedPacket, from connection: PacketConnection) {
        switch packet {
        case .packet(.publish(let publish)):
            received(publish, from: connection)
        case .packet(.puback(let acknowledgement)) where stage == .connected:
            pubacks.append(acknowledgement.packetID)
        default:
            receivedOther(packet)
        }
    }

    func readCompleted(_ connection: PacketConnection) {
        if !pubacks.isEmpty, !settlePubacks() { violation(by: .puback) }
        takeStock(of: connection)
        if watch != nil { lastReadAt = .now }
        countBytes(connection)
        loop.readEnded()
        updateReading()
    }

    func violated(_ error: MQTTXError, on connection: PacketConnection) {
        if stage == .handshake, !handshake.isConnected { return refuseMalformed(error) }
        fail(error)
    }

    func writabilityChanged(_ isWritable: Bool, on connection: PacketConnection) {
        guard isWritable else { return }
        session?.outbound.withLock { $0.bytesLeft() }
        flush()
    }

    func connectionClosed(_ error: (any Error)?, connection: PacketConnection) {
        guard stage != .closed else { return }
        countBytes(connection)
        loop.readEnded()
        // What the client had sent before it left counts, held or not.
        holds = 0
        isAuthenticating = false
        authentication?.cancel()
        authentication = nil
        if stage == .connected { drain(isLast: true) }
        stage = .closed
        timer?.cancel()
        timer = nil
        log("connection closed", ending ?? error.map { NetworkFailure.words(for: $0) } ?? "the client closed it")
        broker.closed(self)
        broker.leave(self)
        broker.partials.add(-partialBytes)
        partialBytes = 0
        transport = nil
        parked = ParkedPackets()
        output = ByteBuffer()
        outputBehindMessages = ByteBuffer()
    }

    /// What the client has begun to send and not finished counts with that of all others.
    private func takeStock(of connection: PacketConnection) {
        let more = connection.partialBytes - partialBytes
        if more > 0, !broker.partials.take(more) {
            return close(with: .quotaExceeded, reason: "too much has begun to arrive from all clients together")
        }
        if more < 0 { broker.partials.add(more) }
        partialBytes += more
    }

    private func countBytes(_ connection: PacketConnection) {
        broker.counters.bytesReceived.count(Int(truncatingIfNeeded: connection.bytesRead &- bytesCounted))
        bytesCounted = connection.bytesRead
    }

    // MARK: Packets

    private func receivedOther(_ packet: DecodedPacket) {
        switch stage {
        case .handshake: receivedInHandshake(packet)
        case .connected: route(packet)
        case .closing: receivedLate(packet)
        case .closed: return
        }
    }

    private func receivedInHandshake(_ packet: DecodedPacket) {
        switch packet {
        case .packet(.connect(let connect)):
            encoder = PacketEncoder(version: connect.version)
            // A refusal has to fit as well (MQTT-3.1.2-24).
            if let limit = connect.properties.maximumPacketSize { encoder.maximumPacketSize = Int(limit) }
            act(on: handshake.received(connect, refusal: broker.refusal(of: self, connect.clientID)))
        case .packet(.auth(let auth)) where handshake.version != nil && !isAuthenticating:
            act(on: handshake.received(auth))
        default:
            // Before CONNECT nothing else may come (MQTT-3.1.0-1); after it, packets wait for the CONNACK, but with an
            // authentication method there may be none (MQTT-3.1.2-30), and waiting for an AUTH would bound nothing.
            guard handshake.version != nil, handshake.method == nil else {
                broker.counters.violations.count()
                ending = "it came with something else than a CONNECT"
                transport?.close()
                return
            }
            if case .packet(.publish(let publish)) = packet, isOverQuota(publish) { return }
            parked.append(packet)
        }
    }

    /// A packet of a connected client, other than what ``received(_:from:)`` has dealt with.
    private func route(_ packet: DecodedPacket) {
        switch packet {
        case .packet(.pubrec(let acknowledgement)): received(pubrec: acknowledgement)
        case .packet(.pubrel(let acknowledgement)): received(pubrel: acknowledgement)
        case .packet(.pubcomp(let acknowledgement)): received(pubcomp: acknowledgement)
        case .packet(.pingreq): sendBehindMessages(.pingresp)
        case .packet(.connect): violation("a second CONNECT")
        case .packet(.auth(let auth)): act(on: handshake.received(auth))
        default:
            if case .packet(.publish(let publish)) = packet, isOverQuota(publish) { return }
            if isHeld || !parked.isEmpty {
                parked.append(packet)
            } else {
                process(packet)
            }
        }
    }

    /// What has to keep its order among the packets that may have to wait.
    private func process(_ packet: DecodedPacket) {
        switch packet {
        case .packet(.publish(let publish)): received(publish)
        case .packet(.subscribe(let subscribe)): received(subscribe)
        case .packet(.unsubscribe(let unsubscribe)): received(unsubscribe)
        case .packet(.disconnect(let disconnect)): received(disconnect)
        case .skippedPublish(let publish): received(publish)
        case .packet(let packet): violation("a client does not send \(packet.type)")
        }
    }

    /// Goes on with the packets that waited, until one has to wait again.
    func drain(isLast: Bool = false) {
        guard !isDraining else { return }
        isDraining = true
        defer { isDraining = false }
        while stage == .connected, isLast || !isHeld, let packet = parked.popFirst() { process(packet) }
        if !isLast { updateReading() }
    }

    // MARK: Back-pressure

    /// A session that this client publishes to has drained.
    func release() {
        guard holds > 0 else { return }
        holds -= 1
        if holds == 0 { drain() }
    }

    /// Whether the client sends without taking what it is answered.
    private var isOutputStuck: Bool { outputBytes > ParkedPackets.limit && transport?.isWritable == false }

    /// What the next write has besides messages.
    var outputBytes: Int { output.readableBytes + outputBehindMessages.readableBytes }

    func updateReading() {
        guard let transport else { return }
        if parked.isFull && isHeld || isOutputStuck {
            transport.pauseReading()
        } else {
            transport.resumeReading()
        }
    }

    // MARK: Timers

    func setTimer(_ delay: TimeAmount, _ action: @escaping @Sendable (ClientConnection) -> Void) {
        timer?.cancel()
        timer = loop.eventLoop.scheduleTask(in: delay) { [weak self] in
            guard let self else { return }
            action(self)
        }
    }

    private func connectTimedOut() {
        guard stage == .handshake else { return }
        ending = "no CONNECT in time"
        transport?.close()
    }

    func startKeepAlive(_ seconds: UInt16) {
        timer?.cancel()
        guard seconds > 0 else { return watch = nil }
        let watch = KeepAliveWatch(seconds: seconds, now: .now)
        self.watch = watch
        if let deadline = watch.deadline { setKeepAliveTimer(deadline, .now) }
    }

    private func setKeepAliveTimer(_ deadline: ContinuousClock.Instant, _ now: ContinuousClock.Instant) {
        setTimer(TimeAmount(now.duration(to: deadline)) + .milliseconds(1)) { $0.checkKeepAlive() }
    }

    private func checkKeepAlive() {
        guard stage == .connected, watch != nil, let transport else { return }
        let now = ContinuousClock.now
        // While we don't read, silence says nothing, unless it is the client that takes nothing.
        watch?.didRead(now: transport.isReadingPaused && !isOutputStuck ? now : lastReadAt)
        guard watch?.isExpired(now: now) == true else {
            if let deadline = watch?.deadline { setKeepAliveTimer(deadline, now) }
            return
        }
        close(with: .keepAliveTimeout, reason: "nothing came for one and a half times the keep alive")
    }
}
