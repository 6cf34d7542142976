import MQTTCore
import MQTTNetwork
import NIOCore

/// One end of a connection in a test: tells what happens to it, one event after another.
final class Peer: PacketReceiver, @unchecked Sendable {
    enum Event: Sendable {
        case opened
        case received(DecodedPacket)
        case violated(MQTTXError)
        case closed((any Error)?)
    }

    static let ping = ByteBuffer(bytes: [0xC0, 0])
    static let pong = ByteBuffer(bytes: [0xD0, 0])

    let role: Receiver
    let channel: any Channel
    private let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation
    /// Belongs to the event loop.
    private var connection: PacketConnection?

    init(_ role: Receiver, _ channel: any Channel) {
        self.role = role
        self.channel = channel
        (events, continuation) = AsyncStream.makeStream()
    }

    func makeConnection() -> PacketConnection {
        let connection = PacketConnection(decoder: PacketDecoder(role: role, version: .v3_1_1), receiver: self)
        self.connection = connection
        return connection
    }

    /// The next thing that happened; nil when nothing will any more.
    func next() async -> Event? {
        for await event in events { return event }
        return nil
    }

    /// How the connection ended, whatever came before.
    func end() async -> (any Error)? {
        for await event in events {
            if case .closed(let error) = event { return error }
        }
        return nil
    }

    func send(_ bytes: ByteBuffer) { channel.eventLoop.execute { self.connection?.write(bytes) } }

    func close() { channel.eventLoop.execute { self.connection?.close() } }

    func peerCertificate() async throws -> PeerCertificate? {
        try await channel.eventLoop.submit { self.connection?.peerCertificate }.get()
    }

    func connectionOpened(_ connection: PacketConnection) { continuation.yield(.opened) }
    func received(_ packet: DecodedPacket, from connection: PacketConnection) { continuation.yield(.received(packet)) }
    func readCompleted(_ connection: PacketConnection) {}
    func violated(_ error: MQTTXError, on connection: PacketConnection) {
        continuation.yield(.violated(error))
        connection.close(error)
    }
    func writabilityChanged(_ isWritable: Bool, on connection: PacketConnection) {}
    func connectionClosed(_ error: (any Error)?, connection: PacketConnection) {
        continuation.yield(.closed(error))
        continuation.finish()
        self.connection = nil
    }
}
