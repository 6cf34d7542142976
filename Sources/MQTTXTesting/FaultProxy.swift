import NIOCore
import NIOPosix

/// A TCP proxy between a client and a broker that behaves as bad networks do.
///
/// Everything that passes, passes unchanged; nothing of MQTT is known here. What changes its behaviour has taken effect
/// when it returns, and throws only where the program's event loops have been shut down.
public final class FaultProxy: Sendable {
    /// Where it listens, on 127.0.0.1.
    public let port: Int

    private let server: any Channel
    private let state: ProxyState

    private init(server: any Channel, state: ProxyState) {
        self.server = server
        self.state = state
        port = server.localAddress?.port ?? 0
    }

    /// Starts a proxy to that address, which it connects to for each connection that it takes.
    ///
    /// - Throws: an `IOError` of SwiftNIO if there is no port to listen on.
    public static func start(host: String, port: Int) async throws -> FaultProxy {
        // One event loop for everything: the state needs no lock.
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let state = ProxyState(loop: loop, host: host, port: port)
        let server = try await ServerBootstrap(group: loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { state.accepted($0) }
            .bind(host: "127.0.0.1", port: 0).get()
        return FaultProxy(server: server, state: state)
    }

    /// Cuts all connections. New ones are taken.
    public func cut() async throws { try await onLoop { $0.cut() } }

    /// Cuts each new connection once it has carried so many bytes, both directions together: in the midst of a packet as
    /// likely as not. The closure is asked for each; with nil, or without one, a connection is let be.
    public func cutEach(after bytes: (@Sendable () -> Int?)?) async throws { try await onLoop { $0.lifetime = bytes } }

    /// Lets nothing through any more, in either direction, and closes nothing: a link that is open at this end only.
    public func stall() async throws { try await onLoop { $0.setStalled(true) } }

    /// Ends ``stall()``; what waited goes through.
    public func resume() async throws { try await onLoop { $0.setStalled(false) } }

    /// Closes new connections at once.
    public func refuse(_ refuses: Bool = true) async throws { try await onLoop { $0.isRefusing = refuses } }

    /// Holds back everything for that long, in both directions.
    public func delay(_ duration: Duration) async throws { try await onLoop { $0.delay = TimeAmount(duration) } }

    /// Lets through at most so many bytes a second in each direction of each connection; nil for any number.
    public func throttle(bytesPerSecond: Int?) async throws { try await onLoop { $0.rate = bytesPerSecond } }

    /// Connections that are open now.
    public var connectionCount: Int {
        get async throws { try await state.loop.submit { [state] in state.links.count }.get() }
    }

    /// Cuts all connections and takes no more.
    public func stop() async throws {
        try await onLoop { $0.cut() }
        try? await server.close()
    }

    private func onLoop(_ body: @escaping @Sendable (ProxyState) -> Void) async throws {
        try await state.loop.submit { [state] in body(state) }.get()
    }
}
