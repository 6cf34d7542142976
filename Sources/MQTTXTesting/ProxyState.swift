import NIOCore
import NIOPosix

/// What a ``FaultProxy`` is told to do, and its connections. All members belong to the event loop, hence unchecked.
final class ProxyState: @unchecked Sendable {
    let loop: any EventLoop
    private let host: String
    private let port: Int
    var isRefusing = false
    var delay = TimeAmount.zero
    var rate: Int?
    /// Says how many bytes a new connection may carry.
    var lifetime: (@Sendable () -> Int?)?
    private(set) var isStalled = false
    private(set) var links: [ObjectIdentifier: any Channel] = [:]
    private var ends: [ObjectIdentifier: ProxyEnd] = [:]

    init(loop: any EventLoop, host: String, port: Int) {
        self.loop = loop
        self.host = host
        self.port = port
    }

    /// A client has connected: connects to the broker and joins the two.
    func accepted(_ client: any Channel) -> EventLoopFuture<Void> {
        guard !isRefusing else { return client.close() }
        return ClientBootstrap(group: loop)
            .channelOption(.autoRead, value: false)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: host, port: port)
            .flatMapThrowing { broker in
                let life = ProxyLife(bytesLeft: self.lifetime?())
                let near = ProxyEnd(state: self, life: life)
                let far = ProxyEnd(state: self, life: life)
                near.peer = far
                far.peer = near
                try client.pipeline.syncOperations.addHandler(near)
                try broker.pipeline.syncOperations.addHandler(far)
                self.join(client, near, far)
                far.readIfAllowed()
            }
    }

    private func join(_ client: any Channel, _ near: ProxyEnd, _ far: ProxyEnd) {
        let id = ObjectIdentifier(client)
        links[id] = client
        ends[ObjectIdentifier(near)] = near
        ends[ObjectIdentifier(far)] = far
        client.closeFuture.whenComplete { _ in
            self.links[id] = nil
            self.ends[ObjectIdentifier(near)] = nil
            self.ends[ObjectIdentifier(far)] = nil
        }
    }

    func cut() {
        for channel in links.values { channel.close(promise: nil) }
    }

    func setStalled(_ stalled: Bool) {
        isStalled = stalled
        guard !stalled else { return }
        for end in ends.values { end.resume() }
    }
}
