package import NIOCore
import Synchronization

/// A listener that accepts connections until it is closed.
package final class BoundListener: Sendable {
    /// `127.0.0.1:1883`, with ` tls`, ` ws` or ` wss` after it, or `unix:PATH`.
    package let description: String
    package let localAddress: SocketAddress?

    private let channel: any Channel
    private let acceptor: Acceptor
    private let socketPath: String?

    init(channel: any Channel, acceptor: Acceptor, target: ListenTarget) {
        self.channel = channel
        self.acceptor = acceptor
        self.localAddress = channel.localAddress
        switch target.endpoint {
        case .tcp(let host, let port):
            let bound = Endpoint.tcp(host: localAddress?.ipAddress ?? host, port: localAddress?.port ?? port)
            description = bound.description + target.transportSuffix
            socketPath = nil
        case .unix(let path):
            description = target.endpoint.description + target.transportSuffix
            socketPath = path
        }
    }

    /// The port it listens on; nil for a Unix socket.
    package var port: Int? { localAddress?.port }

    /// Connections that were accepted and are still there, those in their handshake included.
    package var connectionCount: Int { acceptor.connectionCount }

    /// Accepts no more, and ends the handshakes under way. Connections that are set up go on: their owner ends them.
    package func close() async {
        // Fails when it is closed already, which is what was asked for.
        try? await channel.close().get()
        acceptor.endHandshakes()
        if let socketPath { UnixSocketFile.remove(socketPath) }
    }
}
