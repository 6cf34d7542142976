import MQTTCore
import MQTTNetwork
import NIOCore
import NIOPosix
import Synchronization

@testable import MQTTXClient

/// A broker that does what a test says, packet by packet: for what no real broker does on demand.
final class ScriptedBroker: Sendable {
    private let listener: BoundListener
    private let group: MultiThreadedEventLoopGroup

    let port: Int

    private init(listener: BoundListener) {
        self.listener = listener
        group = .singleton
        port = listener.port ?? 0
    }

    /// Runs the body with a broker and stops it afterwards.
    static func run(
        port: Int = 0, _ body: (ScriptedBroker, ScriptedConnections) async throws -> Void
    ) async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: ScriptedConnection.self)
        let listener = try await Listener.bind(
            ListenTarget(endpoint: .tcp(host: "127.0.0.1", port: port)), group: MultiThreadedEventLoopGroup.singleton
        ) { _ in
            let connection = ScriptedConnection()
            let decoder = PacketDecoder(
                role: .server, version: nil, maximumPacketSize: 16 * 1024 * 1024, maximumPayloadSize: nil)
            continuation.yield(connection)
            return PacketConnection(decoder: decoder, receiver: ScriptedReceiver(connection))
        }
        let broker = ScriptedBroker(listener: listener)
        do {
            try await body(broker, ScriptedConnections(stream: stream))
            await listener.close()
        } catch {
            await listener.close()
            throw error
        }
    }

    func config(_ change: (inout MQTTConfig) -> Void = { _ in }) -> MQTTConfig {
        var config = MQTTConfig(brokerHost: "127.0.0.1", brokerPort: port, clientID: "scripted", version: .v5)
        config.reconnect.interval = .milliseconds(20)
        change(&config)
        return config
    }
}

/// The connections that clients make, one after another.
struct ScriptedConnections: Sendable {
    fileprivate let stream: AsyncStream<ScriptedConnection>

    func next() async -> ScriptedConnection? {
        for await connection in stream { return connection }
        return nil
    }
}

/// One connection of a client, seen from the broker.
final class ScriptedConnection: Sendable {
    struct Ended: Error {}

    private let packets: AsyncStream<Packet>
    let continuation: AsyncStream<Packet>.Continuation
    private let channel = Mutex<(any Channel)?>(nil)
    private let encoder = Mutex(PacketEncoder(version: .v5))
    private let answersPings = Atomic<Bool>(true)

    init() { (packets, continuation) = AsyncStream.makeStream(of: Packet.self) }

    func opened(_ channel: (any Channel)?) { self.channel.withLock { $0 = channel } }

    func use(_ version: ProtocolVersion) { encoder.withLock { $0 = PacketEncoder(version: version) } }

    /// The next packet of the client, pings left out.
    func next() async throws -> Packet {
        for await packet in packets where packet != .pingreq { return packet }
        throw Ended()
    }

    func answersPings(_ answers: Bool) { answersPings.store(answers, ordering: .relaxed) }

    func answerPing(on connection: PacketConnection) {
        guard answersPings.load(ordering: .relaxed) else { return }
        connection.write(ByteBuffer(bytes: [0xD0, 0]))
    }

    /// Waits for a ping; other packets are passed over.
    func nextPing() async throws {
        for await packet in packets where packet == .pingreq { return }
        throw Ended()
    }

    /// The next packet of the client, pings among them.
    func nextOfAll() async throws -> Packet {
        for await packet in packets { return packet }
        throw Ended()
    }

    func nextConnect() async throws -> Connect {
        guard case .connect(let connect) = try await next() else { throw Unexpected() }
        use(connect.version)
        return connect
    }

    func nextPublish() async throws -> Publish {
        guard case .publish(let publish) = try await next() else { throw Unexpected() }
        return publish
    }

    func nextSubscribe() async throws -> Subscribe {
        guard case .subscribe(let subscribe) = try await next() else { throw Unexpected() }
        return subscribe
    }

    func nextUnsubscribe() async throws -> Unsubscribe {
        guard case .unsubscribe(let unsubscribe) = try await next() else { throw Unexpected() }
        return unsubscribe
    }

    func nextDisconnect() async throws -> Disconnect {
        guard case .disconnect(let disconnect) = try await next() else { throw Unexpected() }
        return disconnect
    }

    func nextAuth() async throws -> Auth {
        guard case .auth(let auth) = try await next() else { throw Unexpected() }
        return auth
    }

    struct Unexpected: Error {}

    /// Takes the CONNECT and accepts.
    @discardableResult
    func accept(sessionPresent: Bool = false, _ properties: Properties = .init()) async throws -> Connect {
        let connect = try await nextConnect()
        try await send(.connack(ConnAck(sessionPresent: sessionPresent, properties: properties)))
        return connect
    }

    /// Takes one SUBSCRIBE and grants it.
    @discardableResult
    func grant(_ properties: Properties = .init()) async throws -> Subscribe {
        let subscribe = try await nextSubscribe()
        let codes = subscribe.filters.map { ReasonCode(rawValue: $0.options.qos.rawValue) ?? .success }
        try await send(.suback(SubAck(packetID: subscribe.packetID, reasonCodes: codes, properties: properties)))
        return subscribe
    }

    func send(_ packets: Packet...) async throws { try await send(packets) }

    /// In one write.
    func send(_ packets: [Packet]) async throws {
        var bytes = ByteBuffer()
        for packet in packets { try encoder.withLock { try $0.encode(packet, into: &bytes) } }
        try await send(bytes)
    }

    func send(_ bytes: ByteBuffer) async throws { try await channel.withLock { $0 }?.writeAndFlush(bytes) }

    /// Has the socket keep little either way, so that it is full soon.
    func keepLittle() async throws {
        try await channel.withLock { $0 }?.setOption(.socketOption(.so_rcvbuf), value: 16 * 1024).get()
        try await channel.withLock { $0 }?.setOption(.socketOption(.so_sndbuf), value: 16 * 1024).get()
    }

    /// Takes nothing from the socket any more, as a broker that is too slow.
    func stopReading() async throws { try await channel.withLock { $0 }?.setOption(.autoRead, value: false).get() }

    func startReading() async throws { try await channel.withLock { $0 }?.setOption(.autoRead, value: true).get() }

    func close() async { try? await channel.withLock { $0 }?.close() }
}

private final class ScriptedReceiver: PacketReceiver {
    private let connection: ScriptedConnection

    init(_ connection: ScriptedConnection) { self.connection = connection }

    func connectionOpened(_ connection: PacketConnection) { self.connection.opened(connection.channel) }

    func received(_ packet: DecodedPacket, from connection: PacketConnection) {
        guard case .packet(let packet) = packet else { return }
        if packet == .pingreq { self.connection.answerPing(on: connection) }
        self.connection.continuation.yield(packet)
    }

    func readCompleted(_ connection: PacketConnection) {}
    func violated(_ error: MQTTXError, on connection: PacketConnection) { self.connection.continuation.finish() }
    func writabilityChanged(_ isWritable: Bool, on connection: PacketConnection) {}
    func connectionClosed(_ error: (any Error)?, connection: PacketConnection) { self.connection.continuation.finish() }
}
