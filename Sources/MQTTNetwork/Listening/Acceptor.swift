import Logging
import NIOCore
import Synchronization

/// Takes accepted channels through their handshakes.
final class Acceptor: Sendable {
    private struct State {
        var isClosed = false
        var count = 0
        var inHandshake: [ObjectIdentifier: any Channel] = [:]
    }

    private let target: ListenTarget
    private let tls: TLSServerContexts?
    private let logger: Logger?
    private let makeConnection: @Sendable (any Channel) throws -> PacketConnection
    private let state = Mutex(State())

    init(
        target: ListenTarget, tls: TLSServerContexts?, logger: Logger?,
        connection: @escaping @Sendable (any Channel) throws -> PacketConnection
    ) {
        self.target = target
        self.tls = tls
        self.logger = logger
        self.makeConnection = connection
    }

    var connectionCount: Int { state.withLock { $0.count } }

    /// On the accepted channel's event loop, before anything is read. A throw closes the channel.
    func accept(_ channel: any Channel) throws {
        try count(channel)
        if tls == nil && target.webSocket == nil {
            try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
            try finish(channel, peerCertificate: nil)
        } else {
            try shakeHands(channel)
        }
    }

    func endHandshakes() {
        let channels = state.withLock { state in
            state.isClosed = true
            defer { state.inHandshake = [:] }
            return Array(state.inHandshake.values)
        }
        for channel in channels { channel.close(promise: nil) }
    }

    private func count(_ channel: any Channel) throws {
        let isTaken = state.withLock { state in
            guard !state.isClosed, state.count < target.maximumConnections ?? .max else { return false }
            state.count += 1
            return true
        }
        guard isTaken else {
            logger?.debug("connection refused: the limit is reached", metadata: ["peer": "\(channel.peerDescription)"])
            throw ChannelError.operationUnsupported
        }
        channel.closeFuture.whenComplete { _ in self.state.withLock { $0.count -= 1 } }
    }

    private func shakeHands(_ channel: any Channel) throws {
        let id = ObjectIdentifier(channel)
        state.withLock { $0.inHandshake[id] = channel }
        let deadline = channel.eventLoop.scheduleTask(in: TimeAmount(target.handshakeTimeout)) {
            self.logger?.debug("no handshake in time", metadata: ["peer": "\(channel.peerDescription)"])
            channel.close(promise: nil)
        }
        let tlsDone: EventLoopFuture<PeerCertificate?>
        if let tls {
            tlsDone = try TLSHandshake.server(tls.current(), on: channel)
        } else {
            tlsDone = channel.eventLoop.makeSucceededFuture(nil)
        }
        tlsDone.flatMap { certificate in self.upgrade(channel, peerCertificate: certificate) }
            .whenComplete { result in
                deadline.cancel()
                _ = self.state.withLock { $0.inHandshake.removeValue(forKey: id) }
                guard case .failure(let error) = result else { return }
                self.logger?.debug(
                    "handshake failed",
                    metadata: [
                        "peer": "\(channel.peerDescription)", "reason": "\(NetworkFailure.words(for: error))",
                    ])
                channel.close(promise: nil)
            }
    }

    private func upgrade(_ channel: any Channel, peerCertificate: PeerCertificate?) -> EventLoopFuture<Void> {
        guard let settings = target.webSocket else {
            return channel.eventLoop.makeCompletedFuture { try finish(channel, peerCertificate: peerCertificate) }
        }
        return WebSocketServerHandshake.run(settings, on: channel) { channel in
            try self.finish(channel, peerCertificate: peerCertificate)
        }
    }

    private func finish(_ channel: any Channel, peerCertificate: PeerCertificate?) throws {
        let connection = try makeConnection(channel)
        connection.peerCertificate = peerCertificate
        try channel.pipeline.syncOperations.addHandler(connection)
    }
}

extension Channel {
    var peerDescription: String { remoteAddress.map { "\($0)" } ?? "unknown" }
}
