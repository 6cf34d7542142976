package import Logging
package import MQTTCore
import NIOCore

/// Says every packet of one connection to a logger, at debug level: what it is, but no payload, no user name and no password.
///
/// Belongs to the connection's event loop.
package final class PacketTrace {
    private var logger: Logger
    private let peerRole: Receiver

    /// - Parameters:
    ///   - logger: Where it is said.
    ///   - role: Which side this is.
    /// - Returns: nil where nothing would be said.
    package init?(_ logger: Logger?, role: Receiver, clientID: String? = nil, peer: String? = nil) {
        guard var logger, logger.logLevel <= .debug else { return nil }
        if let clientID { logger[metadataKey: "client"] = "\(clientID)" }
        if let peer { logger[metadataKey: "peer"] = "\(peer)" }
        self.logger = logger
        peerRole = role == .client ? .server : .client
    }

    /// The client has said its name, or was given one.
    package func name(_ clientID: String) { logger[metadataKey: "client"] = "\(clientID)" }

    func received(_ packet: DecodedPacket) {
        switch packet {
        case .packet(let packet): logger.debug("received \(packet.summary)")
        case .skippedPublish(let publish): logger.debug("received \(publish.summary)")
        }
    }

    func received(_ publish: borrowing Publish) { logger.debug("received \(publish.summary)") }

    /// - Parameters:
    ///   - bytes: Whole packets.
    ///   - version: What the connection speaks; nil where that is not known yet.
    func sent(_ bytes: ByteBuffer, version: ProtocolVersion?) {
        var decoder = PacketDecoder(role: peerRole, version: version)
        decoder.append(bytes)
        while case .packet(let packet)? = try? decoder.next() { logger.debug("sent \(packet.summary)") }
    }
}
