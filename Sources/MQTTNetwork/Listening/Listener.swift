package import Logging
import MQTTCore
package import NIOCore
import NIOPosix

/// Opens listeners on every transport.
package enum Listener {
    /// Listens, and puts the connection that `connection` makes at the end of each accepted channel's pipeline.
    ///
    /// `connection` runs on the accepted channel's event loop after every handshake. Channels spread over the group's
    /// loops two by two. Throws an ``MQTTXError``: 1002 when the address can't be listened on, 1007 for a bad TLS file.
    package static func bind(
        _ target: ListenTarget, group: any EventLoopGroup, logger: Logger? = nil,
        connection: @escaping @Sendable (any Channel) throws -> PacketConnection
    ) async throws -> BoundListener {
        let acceptor = Acceptor(
            target: target, tls: try target.tls.map { try TLSServerContexts($0, logger: logger, for: target) },
            logger: logger, connection: connection)
        let bootstrap = SocketOptions.apply(to: ServerBootstrap(group: group), endpoint: target.endpoint)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(AcceptPause(), PairPlacement(group: group))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try acceptor.accept(channel) }
            }
        do {
            let channel: any Channel
            switch target.endpoint {
            case .tcp(let host, let port):
                guard (0...65535).contains(port) else {
                    throw MQTTXError(.connectionFailed, "no port has the number \(port)")
                }
                channel = try await bootstrap.bind(host: host, port: port).get()
            case .unix(let path):
                try UnixSocketFile.removeIfStale(path)
                channel = try await bootstrap.bind(unixDomainSocketPath: path).get()
            }
            return BoundListener(channel: channel, acceptor: acceptor, target: target)
        } catch let error as MQTTXError {
            throw error
        } catch {
            let reason = NetworkFailure.words(for: error)
            throw MQTTXError(.connectionFailed, "cannot listen on \(target.endpoint): \(reason)", cause: error)
        }
    }
}
