import Logging
public import MQTTCore
import MQTTNetwork
import NIOCore
import NIOPosix
import Synchronization

/// An MQTT broker in this process: 3.1.1 and 5.0, over every transport.
///
/// ```swift
/// let broker = try await Broker.start()
/// … "127.0.0.1", broker.port …
/// try await broker.stop()
/// ```
public final class Broker: Sendable {
    let core: BrokerCore
    private let group: MultiThreadedEventLoopGroup
    let loops: [BrokerLoop]
    private let listeners: [BoundListener]
    private let clock: RepeatedTask?
    private let isStopped = Mutex(false)

    /// From one event loop to another, at most.
    private static let stepsOfAcceptance = 5

    private init(
        core: BrokerCore, group: MultiThreadedEventLoopGroup, loops: [BrokerLoop], listeners: [BoundListener],
        clock: RepeatedTask?
    ) {
        self.core = core
        self.group = group
        self.loops = loops
        self.listeners = listeners
        self.clock = clock
    }

    /// Starts a broker that listens when this returns.
    ///
    /// - Throws: `MQTTXError` when an address can't be listened on (1002), or for a bad TLS file (1007).
    public static func start(_ config: BrokerConfig = BrokerConfig()) async throws -> Broker {
        let core = BrokerCore(config)
        let count = config.threads ?? max(2, System.coreCount)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, count))
        let loops = makeLoops(of: group, counters: core.counters)
        var listeners: [BoundListener] = []
        do {
            for listener in config.listeners {
                listeners.append(try await bind(listener, core: core, group: group, loops: loops))
            }
        } catch {
            for listener in listeners { await listener.close() }
            try await group.shutdownGracefully()
            throw error
        }
        return Broker(
            core: core, group: group, loops: loops, listeners: listeners, clock: startClock(core, on: loops[0]))
    }

    private static func makeLoops(of group: MultiThreadedEventLoopGroup, counters: BrokerCounters) -> [BrokerLoop] {
        let eventLoops = Array(group.makeIterator())
        return eventLoops.indices.map { BrokerLoop(eventLoops, index: $0, counters: counters) }
    }

    private static func bind(
        _ listener: BrokerListener, core: BrokerCore, group: MultiThreadedEventLoopGroup, loops: [BrokerLoop]
    ) async throws -> BoundListener {
        let byEventLoop = Dictionary(uniqueKeysWithValues: loops.map { (ObjectIdentifier($0.eventLoop), $0) })
        let target = listener.target(
            maximumConnections: min(core.config.maximumConnections, .max / 2) + BrokerCore.surplusConnections)
        return try await Listener.bind(target, group: group, logger: core.logger) { channel in
            guard let loop = byEventLoop[ObjectIdentifier(channel.eventLoop)] else {
                throw MQTTXError(.connectionFailed, "a connection on an event loop of another group")
            }
            let origin = ConnectionOrigin(channel)
            let trace = PacketTrace(core.logger, role: .server, peer: origin.peer)
            let connection = ClientConnection(broker: core, loop: loop, origin: origin, trace: trace)
            let decoder = PacketDecoder(
                role: .server, version: nil, maximumPacketSize: Int(core.policy.maximumPacketSize),
                maximumPayloadSize: core.config.maximumPayloadSize)
            return PacketConnection(decoder: decoder, receiver: connection, trace: trace)
        }
    }

    private static func startClock(_ core: BrokerCore, on loop: BrokerLoop) -> RepeatedTask? {
        guard core.config.systemTopicInterval > .zero else { return nil }
        let interval = TimeAmount(core.config.systemTopicInterval)
        return loop.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            core.publishSystemTopics(on: loop)
            core.retained.sweep()
        }
    }

    // MARK: While it runs

    /// The port of the first TCP listener; 0 if there is none.
    public var port: Int { listeners.lazy.compactMap(\.port).first ?? 0 }

    /// One a listener, in the order of the configuration: `127.0.0.1:1883`, with ` tls`, ` ws` or ` wss` after it, or
    /// `unix:PATH`.
    public var addresses: [String] { listeners.map(\.description) }

    /// The ports of the listeners, in the order of the configuration; nil for a Unix socket.
    public var ports: [Int?] { listeners.map(\.port) }

    /// What it has done so far.
    public var statistics: BrokerStatistics { core.statistics }

    /// Asks the authorizer anew about everything; call it when its rules have changed. What waits for a client, and may not
    /// be read any more, is dropped and counted.
    public func accessRulesChanged() { core.accessRulesChanged() }

    /// Ends all connections, without a word unless a reason code is given (MQTT 5.0). Clients may come back.
    public func dropConnections(_ code: ReasonCode? = nil) async {
        await endConnections(core.connections(), code)
    }

    /// Answers every CONNECT with that code; nil ends it. For tests.
    package func refuseConnections(_ code: ReasonCode?) { core.refuse(code) }

    /// Closes new connections at once. For tests.
    package func stopAccepting(_ stops: Bool) { core.setDeaf(stops) }

    /// Ends it: clients of MQTT 5.0 are told that the server shuts down (0x8B). Harmless when it has ended already.
    ///
    /// - Throws: an error of SwiftNIO if its event loops can't be shut down.
    public func stop() async throws {
        let isFirst = isStopped.withLock { isStopped in
            defer { isStopped = true }
            return !isStopped
        }
        guard isFirst else { return }
        clock?.cancel()
        for listener in listeners { await listener.close() }
        await settle()
        await endConnections(core.connections(stopping: true), .serverShuttingDown)
        try await group.shutdownGracefully()
    }

    /// A connection that was just accepted goes from event loop to event loop until it is set up or closed: none of these
    /// steps may find its loop gone.
    private func settle() async {
        for _ in 0..<Self.stepsOfAcceptance {
            for loop in group.makeIterator() { try? await loop.submit {}.get() }
        }
    }

    private func endConnections(_ connections: [ClientConnection], _ code: ReasonCode?) async {
        // All are told first: a client that lingers holds up no other. With one wake-up of each event loop, which may be busy.
        var closing: [EventLoopFuture<Void>] = []
        for connections in Dictionary(grouping: connections, by: { $0.loop.index }).values {
            let closed = try? await connections[0].loop.eventLoop.submit {
                connections.compactMap { connection -> EventLoopFuture<Void>? in
                    let future = connection.transport?.channel?.closeFuture
                    if let code { connection.close(with: code) } else { connection.transport?.close() }
                    return future
                }
            }.get()
            closing += closed ?? []
        }
        for closed in closing { try? await closed.get() }
    }
}

extension ConnectionOrigin {
    init(_ channel: any Channel) {
        // The listener's address counts, not this connection's: what the network reaches is not local.
        switch channel.parent?.localAddress ?? channel.localAddress {
        case .unixDomainSocket?:
            remoteAddress = nil
            isLocal = true
        case let address:
            remoteAddress = channel.remoteAddress.map { "\($0.ipAddress ?? ""):\($0.port ?? 0)" }
            isLocal = Self.isLoopback(address?.ipAddress ?? "")
        }
    }

    private static func isLoopback(_ address: String) -> Bool {
        address.hasPrefix("127.") || address == "::1" || address.hasPrefix("::ffff:127.")
    }
}
