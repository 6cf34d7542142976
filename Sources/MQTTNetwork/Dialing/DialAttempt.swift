import MQTTCore
package import NIOCore
import NIOPosix

/// One try to reach a target: the channel to be, a deadline for all of it, and a way to give it up.
package final class DialAttempt: Sendable {
    /// Succeeds when the connection can carry packets; fails with an ``MQTTXError``, or with `CancellationError`
    /// after ``cancel()``.
    package var channel: EventLoopFuture<any Channel> { promise.futureResult }

    private struct State {
        var isOver = false
        var stage = Stage.connect
        /// More than one while IPv6 and IPv4 race for the connection.
        var channels: [any Channel] = []
        var deadline: Scheduled<Void>?
    }

    private enum Stage: String {
        case connect = "no TCP connection"
        case proxy = "no answer from the proxy"
        case tls = "no TLS handshake"
        case webSocket = "no WebSocket handshake"
    }

    private let target: DialTarget
    private let eventLoop: any EventLoop
    private let makeConnection: @Sendable (any Channel) throws -> PacketConnection
    private let promise: EventLoopPromise<any Channel>
    private let state: NIOLoopBoundBox<State>

    init(
        _ target: DialTarget, on eventLoop: any EventLoop,
        connection: @escaping @Sendable (any Channel) throws -> PacketConnection
    ) {
        self.target = target
        self.eventLoop = eventLoop
        self.makeConnection = connection
        self.promise = eventLoop.makePromise()
        self.state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    /// The channel; cancelling the task gives the attempt up.
    package func value() async throws -> any Channel {
        try await withTaskCancellationHandler {
            try await channel.get()
        } onCancel: {
            cancel()
        }
    }

    /// Gives the attempt up and closes what it opened. Without effect once the channel is there.
    package func cancel() {
        onLoop { self.finish(.failure(CancellationError())) }
    }

    func start() {
        onLoop {
            self.state.value.deadline = self.eventLoop.scheduleTask(in: TimeAmount(self.target.connectTimeout)) {
                self.timedOut()
            }
            self.prepareTLS().flatMap { context in
                self.connect().flatMap { channel in self.shakeHands(on: channel, tls: context) }
            }.whenComplete { self.finish($0) }
        }
    }

    private func onLoop(_ body: @escaping @Sendable () -> Void) {
        if eventLoop.inEventLoop { body() } else { eventLoop.execute(body) }
    }
}

// MARK: The stages

extension DialAttempt {
    /// Reading certificates, the system's several hundred among them, blocks: not on the event loop.
    private func prepareTLS() -> EventLoopFuture<TLSClientContext?> {
        guard let tls = target.tls, tls.isMeant else { return eventLoop.makeSucceededFuture(nil) }
        let transport: TLSConfig.Transport = target.webSocket == nil ? .mqtt : .webSocket
        return NIOSingletons.posixBlockingThreadPool.runIfActive(eventLoop: eventLoop) {
            TLSClientContext(context: try tls.makeClientContext(for: transport))
        }
    }

    private func connect() -> EventLoopFuture<any Channel> {
        guard !state.value.isOver else { return eventLoop.makeFailedFuture(CancellationError()) }
        let timeout = TimeAmount(target.connectTimeout)
        let bootstrap = SocketOptions.apply(
            to: ClientBootstrap(group: eventLoop), endpoint: (target.proxy?.endpoint ?? target.endpoint),
            userTimeout: target.tcpUserTimeout
        )
        .connectTimeout(timeout)
        // Nothing is read before the pipeline is complete.
        .channelOption(.autoRead, value: false)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                guard !self.state.value.isOver else { throw CancellationError() }
                self.state.value.channels.append(channel)
            }
        }
        switch target.proxy?.endpoint ?? target.endpoint {
        case .tcp(let host, let port):
            guard (1...65535).contains(port) else {
                let error = MQTTXError(.connectionFailed, "cannot connect to \(target): no port has the number \(port)")
                return eventLoop.makeFailedFuture(error)
            }
            return bootstrap.connect(host: host, port: port)
        case .unix(let path):
            return bootstrap.connect(unixDomainSocketPath: path)
        }
    }

    private func shakeHands(on channel: any Channel, tls: TLSClientContext?) -> EventLoopFuture<any Channel> {
        let setUp = eventLoop.makeCompletedFuture {
            guard !state.value.isOver else { throw CancellationError() }
            try channel.syncOptions?.setOption(.autoRead, value: true)
        }
        return setUp.flatMap { self.passProxy(channel) }
            .flatMap { self.startTLS(tls, on: channel) }
            .flatMap { self.upgradeToWebSocket(channel) }
            .flatMapThrowing {
                guard !self.state.value.isOver else { throw CancellationError() }
                guard channel.isActive else { throw ChannelError.eof }
                let isPlain = tls == nil && self.target.webSocket == nil
                try self.makeConnection(channel)
                    .add(to: channel, largestRead: isPlain ? SocketOptions.largestRead : nil)
                return channel
            }
    }

    private func passProxy(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard let proxy = target.proxy else { return eventLoop.makeSucceededVoidFuture() }
        state.value.stage = .proxy
        return ProxyHandshake.run(proxy, to: target.endpoint, on: channel, timeout: target.connectTimeout)
    }

    private func startTLS(_ tls: TLSClientContext?, on channel: any Channel) -> EventLoopFuture<Void> {
        guard let tls else { return eventLoop.makeSucceededVoidFuture() }
        state.value.stage = .tls
        let config = target.tls
        return TLSHandshake.client(tls, serverName: config?.nameToVerify(for: target.endpoint), on: channel)
            .flatMapThrowing { certificate in
                // The library is content when the address that was dialled is in the certificate; who names a server
                // wants that one.
                guard let name = config?.nameRequired, certificate?.isFor(name) != true else { return }
                throw MQTTXError(.tlsFailed, "the broker's certificate is not for \(name)")
            }
    }

    private func upgradeToWebSocket(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard let settings = target.webSocket else { return eventLoop.makeSucceededVoidFuture() }
        state.value.stage = .webSocket
        return WebSocketClientHandshake.run(settings, to: target.endpoint, on: channel)
    }
}

// MARK: The end

extension DialAttempt {
    private func timedOut() {
        let message = "\(state.value.stage.rawValue) with \(target) within \(target.connectTimeout)"
        finish(.failure(MQTTXError(.connectionTimeout, message)))
    }

    private func finish(_ result: Result<any Channel, any Error>) {
        guard !state.value.isOver else { return }
        state.value.isOver = true
        state.value.deadline?.cancel()
        let channels = state.value.channels
        state.value.channels = []
        switch result {
        case .success(let channel):
            promise.succeed(channel)
        case .failure(let error):
            for channel in channels { channel.close(promise: nil) }
            promise.fail(NetworkFailure(target: target, isEstablished: false).translated(error))
        }
    }
}
