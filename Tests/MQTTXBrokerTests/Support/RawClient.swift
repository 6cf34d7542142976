import MQTTCore
import MQTTXBroker
import NIOCore
import NIOPosix

/// A client that does nothing by itself: it sends the packets it is given and hands out those that come.
final class RawClient: Sendable {
    let version: ProtocolVersion
    private let channel: any Channel
    private let inbox: RawInbox

    private init(channel: any Channel, inbox: RawInbox, version: ProtocolVersion) {
        self.channel = channel
        self.inbox = inbox
        self.version = version
    }

    // MARK: Connecting

    /// Opens the connection alone.
    static func open(_ broker: Broker, version: ProtocolVersion = .v5) async throws -> RawClient {
        try await open(port: broker.port, version: version)
    }

    /// - Parameter staysWritable: goes on sending where the broker has said its last.
    static func open(
        port: Int, version: ProtocolVersion = .v5, staysWritable: Bool = false
    ) async throws -> RawClient {
        let inbox = RawInbox(version: version)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.allowRemoteHalfClosure, value: staysWritable)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(RawHandler(inbox: inbox))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawClient(channel: channel, inbox: inbox, version: version)
    }

    /// Opens the connection and has it accepted.
    static func connect(
        _ broker: Broker, _ clientID: String = "", version: ProtocolVersion = .v5, cleanStart: Bool = true,
        keepAlive: UInt16 = 0, will: Will? = nil, username: String? = nil, password: String? = nil,
        properties: (inout Properties) -> Void = { _ in }
    ) async throws -> RawClient {
        let client = try await open(broker, version: version)
        var connect = Connect(
            version: version, cleanStart: cleanStart, keepAlive: keepAlive, clientID: clientID, will: will,
            username: username, password: password.map { ByteBuffer(string: $0) })
        properties(&connect.properties)
        let answer = try await client.handshake(connect)
        guard answer.reasonCode == .success else { throw RawClientError.refused(answer.reasonCode) }
        return client
    }

    /// Sends CONNECT and returns the CONNACK.
    @discardableResult
    func handshake(_ connect: Connect) async throws -> ConnAck {
        try await send(.connect(connect))
        guard case .connack(let connack) = try await receive() else { throw RawClientError.unexpected }
        return connack
    }

    // MARK: Packets

    func send(_ packets: Packet...) async throws {
        var buffer = ByteBuffer()
        for packet in packets { try PacketEncoder(version: version).encode(packet, into: &buffer) }
        try await send(bytes: buffer)
    }

    /// - Parameter isLast: nothing follows, while answers are still taken.
    func send(bytes: ByteBuffer, isLast: Bool = false) async throws {
        let written = channel.eventLoop.makePromise(of: Void.self)
        channel.writeAndFlush(bytes, promise: written)
        if isLast { channel.close(mode: .output, promise: nil) }
        try await written.futureResult.get()
    }

    func send(bytes: [UInt8]) async throws { try await send(bytes: ByteBuffer(bytes: bytes)) }

    /// The next packet; throws when the connection closes, or after half a minute.
    func receive() async throws -> Packet {
        guard let packet = try await next() else { throw RawClientError.closed }
        return packet
    }

    /// The next packet, or nil when the connection has closed.
    func next() async throws -> Packet? {
        let timeout = channel.eventLoop.scheduleTask(in: .seconds(30)) { self.inbox.fail(RawClientError.timeout) }
        defer { timeout.cancel() }
        return try await inbox.next(on: channel.eventLoop).get()
    }

    /// The next packet, which has to be a PUBLISH.
    func message() async throws -> Publish {
        let packet = try await receive()
        guard case .publish(let publish) = packet else { throw RawClientError.unexpectedPacket(packet) }
        return publish
    }

    /// Asks for an answer to PINGREQ, and returns what came before it: everything that was on its way.
    func drain() async throws -> [Packet] {
        try await send(.pingreq)
        var packets: [Packet] = []
        while true {
            let packet = try await receive()
            if packet == .pingresp { return packets }
            packets.append(packet)
        }
    }

    /// What comes up to the next PINGRESP, in brief.
    func received() async throws -> [String] {
        var packets: [String] = []
        while packets.last != "PINGRESP" { packets.append(try await receive().brief) }
        return packets
    }

    /// Waits until the broker closes the connection.
    ///
    /// - Returns: the reason code of its DISCONNECT, if it sent one.
    @discardableResult
    func closed() async throws -> ReasonCode? {
        var code: ReasonCode?
        while let packet = try await next() {
            if case .disconnect(let disconnect) = packet { code = disconnect.reasonCode }
        }
        return code
    }

    /// Cuts the connection without a DISCONNECT.
    func cut() async throws { try await channel.close() }

    /// Ends the connection as a client does.
    func disconnect(_ code: ReasonCode = .success, properties: Properties = .init()) async throws {
        try await send(.disconnect(Disconnect(reasonCode: code, properties: properties)))
        try await closed()
        try? await channel.close()
    }

    /// Has the socket keep little either way, so that it is full soon.
    func keepLittle() async throws {
        try await channel.setOption(.socketOption(.so_rcvbuf), value: 16 * 1024).get()
        try await channel.setOption(.socketOption(.so_sndbuf), value: 16 * 1024).get()
    }

    /// Stops taking bytes from the socket, and goes on.
    func setReading(_ reads: Bool) async throws {
        try await channel.setOption(.autoRead, value: reads).get()
        if reads { channel.read() }
    }

    // MARK: Exchanges

    @discardableResult
    func subscribe(
        _ filter: String, _ options: SubscriptionOptions = .init(qos: .exactlyOnce), identifier: UInt32? = nil,
        packetID: UInt16 = 1
    ) async throws -> ReasonCode {
        try await subscribe(
            [SubscriptionRequest(filter, options: options)], identifier: identifier, packetID: packetID)[0]
    }

    func subscribe(
        _ requests: [SubscriptionRequest], identifier: UInt32? = nil, packetID: UInt16 = 1
    ) async throws -> [ReasonCode] {
        let properties = Properties.with { if let identifier { $0.subscriptionIdentifiers = [identifier] } }
        try await send(.subscribe(Subscribe(packetID: packetID, filters: requests, properties: properties)))
        guard case .suback(let suback) = try await receive(), suback.packetID == packetID else {
            throw RawClientError.unexpected
        }
        return suback.reasonCodes
    }

    /// Publishes and, at QoS 1 and 2, waits for the broker to have it.
    @discardableResult
    func publish(
        _ topic: String, _ payload: String = "x", qos: QoS = .atMostOnce, retain: Bool = false, packetID: UInt16 = 1,
        properties: (inout Properties) -> Void = { _ in }
    ) async throws -> ReasonCode? {
        var publish = Publish(
            topic: topic, payload: ByteBuffer(string: payload), qos: qos, retain: retain,
            packetID: qos == .atMostOnce ? 0 : packetID)
        properties(&publish.properties)
        try await send(.publish(publish))
        switch qos {
        case .atMostOnce:
            return nil
        case .atLeastOnce:
            guard case .puback(let puback) = try await receive() else { throw RawClientError.unexpected }
            return puback.reasonCode
        case .exactlyOnce:
            guard case .pubrec(let pubrec) = try await receive() else { throw RawClientError.unexpected }
            if pubrec.reasonCode.isError { return pubrec.reasonCode }
            try await send(.pubrel(Acknowledgement(packetID: packetID)))
            guard case .pubcomp = try await receive() else { throw RawClientError.unexpected }
            return pubrec.reasonCode
        }
    }
}

enum RawClientError: Error, Equatable {
    case closed, timeout, unexpected
    case unexpectedPacket(Packet)
    case refused(ReasonCode)
}

extension Packet {
    /// The topic of a message, or the packet's type.
    var brief: String {
        if case .publish(let publish) = self { publish.topic } else { "\(type)" }
    }
}

extension Publish {
    var text: String { String(buffer: payload) }
}
