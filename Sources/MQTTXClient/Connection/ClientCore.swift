internal import Logging
internal import MQTTCore
internal import MQTTNetwork
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// What a client is made of, and what its parts share. ``MQTTClient`` is the face of it.
final class ClientCore: Sendable {
    /// What higher layers have to know of the connection.
    enum Event: Sendable {
        case connected(ServerCapabilities)
        /// The connection is lost; another is sought if `willReconnect`.
        case disconnected(willReconnect: Bool, MQTTXError)
    }

    struct Shared {
        var state = ConnectionState.disconnected(nil)
        var version: ProtocolVersion?
        var clientID: String
        var server: ServerCapabilities?
        var observers: [UInt64: @Sendable (Event) -> Void] = [:]
        var nextObserverID: UInt64 = 0
        var isStopping = false
        var failures = 0
        var connections = 0
        var noticesDropped = 0
        var ignored = 0
        /// Filters given up while there was no connection: a broker that kept the session still has them.
        var abandonedFilters: Set<UTF8Key> = []
        /// Where a broker has sent us.
        var redirect: Redirect?
    }

    let config: MQTTConfig
    let logger: Logger
    let eventLoop: any EventLoop
    let executor: LoopExecutor
    let outbox: Outbox
    let registry = SubscriptionRegistry()
    let dispatch: DispatchQueue
    let acknowledgements: AcknowledgementQueue
    let inbound: NIOLoopBoundBox<Inbound>
    let current: NIOLoopBoundBox<ClientConnection?>
    let shared: Mutex<Shared>
    let states = Broadcast<ConnectionState>(capacity: 1)
    let notices = Broadcast<Notice>(capacity: 1_000)
    /// Whether the client identifier was made up here.
    let isIDGenerated: Bool
    /// What the handlers of this client are known by.
    let handlerScope = HandlerScope()

    init(_ config: MQTTConfig) {
        self.config = config
        logger = config.logger
        let group = config.eventLoopGroup ?? MultiThreadedEventLoopGroup.singleton
        let eventLoop = group.next()
        self.eventLoop = eventLoop
        isIDGenerated = config.clientID.isEmpty
        let clientID = config.clientID.isEmpty ? ClientCore.generatedID() : config.clientID
        let shared = Mutex(Shared(clientID: clientID))
        self.shared = shared
        let notices = self.notices
        let noticesDropped = DropCounter()
        self.noticesDropped = noticesDropped
        let notify: @Sendable (Notice) -> Void = { noticesDropped.count.add(notices.yield($0), ordering: .relaxed) }
        self.notify = notify
        outbox = Outbox(
            limits: QueueLimits(config), largestPayload: config.maxPayloadSize, largestAnswers: config.maxUnreadAnswers,
            eventLoop: eventLoop, notify: notify)
        executor = LoopExecutor(eventLoop, outbox)
        let acknowledgements = AcknowledgementQueue(eventLoop: eventLoop)
        self.acknowledgements = acknowledgements
        let current = NIOLoopBoundBox<ClientConnection?>.makeBoxSendingValue(nil, eventLoop: eventLoop)
        self.current = current
        let paused = PauseFlag()
        self.paused = paused
        let bounds = QueueBounds(config)
        dispatch = DispatchQueue(
            bounds: bounds, logger: config.logger, notify: notify,
            completed: { acknowledgements.append($0) },
            turnDone: { queued in
                guard paused.isPaused.load(ordering: .relaxed), bounds.hasRoomAgain(queued: queued),
                    paused.isPaused.exchange(false, ordering: .relaxed)
                else { return }
                eventLoop.execute { current.value?.resumeIfPossible() }
            })
        let inboundBox = LazyInbound(
            registry: registry, dispatch: dispatch, config: config, notify: notify, acknowledgements: acknowledgements)
        let inbound = inboundBox.bind(to: eventLoop)
        self.inbound = inbound
        eventLoop.execute {
            // Weak: it makes acknowledgers, which hold the queue.
            acknowledgements.onDrain { [weak inbound] tickets in
                guard let inbound else { return }
                for (ticket, reasonCode) in tickets { inbound.value.incoming.complete(ticket, reasonCode: reasonCode) }
                current.value?.completed()
            }
        }
    }

    let notify: @Sendable (Notice) -> Void
    let noticesDropped: DropCounter
    let paused: PauseFlag

    private static func generatedID() -> String {
        let letters = Array("0123456789abcdefghijklmnopqrstuvwxyz")
        return "mqttx-" + String((0..<16).map { _ in letters[Int.random(in: 0..<36)] })
    }

    // MARK: For the parts

    var awaitsAnswer: Bool { outbox.awaitsAnswer }

    func keepAliveTimeout(_ server: ServerCapabilities) -> Duration {
        min(config.operationTimeout, max(.seconds(1), .seconds(Int64(server.keepAlive))))
    }

    func translate(_ error: any Error) -> MQTTXError { Dialer.translate(error, target: dialTarget()) }

    func dialTarget() -> DialTarget {
        let redirect = shared.withLock { $0.redirect }
        return DialTarget(config, redirect: redirect)
    }

    func setState(_ state: ConnectionState) {
        shared.withLock {
            $0.state = state
            if case .connected(let server) = state { $0.server = server } else { $0.server = nil }
        }
        states.yield(state)
    }

    /// The CONNACK came: restores what the program wants, in few packets, before anything else goes out.
    func established(_ server: ServerCapabilities, on connection: PacketConnection) {
        shared.withLock {
            $0.clientID = server.clientID
            $0.version = server.version
            $0.connections += 1
        }
        let lostMessages = outbox.connected(
            connection, server: server, maximumAliases: config.usesTopicAliases ? Int(UInt16.max) : 0
        ) {
            restore(server)
        }
        let isFirst = shared.withLock { $0.connections == 1 }
        if !server.sessionPresent, lostMessages || (!isFirst && !config.cleanSession) { notify(.sessionLost) }
        // Observers first: what they find waiting is of earlier connections.
        tell(.connected(server))
        setState(.connected(server))
        // Whoever subscribed since the list was made has found no server to ask.
        requestSubscriptions(registry.takeAdded(), server: server)
        outbox.flush()
    }

    private func restore(_ server: ServerCapabilities) {
        if server.sessionPresent {
            let abandoned = shared.withLock { shared in
                defer { shared.abandonedFilters = [] }
                return shared.abandonedFilters
            }
            let unwanted = abandoned.lazy.map(\.string).filter { !self.registry.contains($0) }
            unsubscribeWithoutAnswer(Array(unwanted), largestPacket: server.maximumPacketSize)
        } else {
            shared.withLock { $0.abandonedFilters = [] }
        }
        requestSubscriptions(registry.takeUnrequested(sessionPresent: server.sessionPresent), server: server)
    }

    func removeObserver(_ id: UInt64) { _ = shared.withLock { $0.observers.removeValue(forKey: id) } }

    func tell(_ event: Event) {
        let observers = shared.withLock { Array($0.observers.values) }
        for observer in observers { observer(event) }
    }
}

/// Tells workers that reading has stopped and what they finish may let it go on.
final class PauseFlag: Sendable {
    let isPaused = Atomic<Bool>(false)
}

/// Notices that nobody took in time.
final class DropCounter: Sendable {
    let count = Atomic<Int>(0)
}

/// Makes the receive path where it belongs: it is not sendable, but may be built on one thread for another.
private struct LazyInbound: @unchecked Sendable {
    // Unchecked: built once, handed to the event loop, never touched here again.
    let inbound: Inbound

    init(
        registry: SubscriptionRegistry, dispatch: DispatchQueue, config: MQTTConfig,
        notify: @escaping @Sendable (Notice) -> Void, acknowledgements: AcknowledgementQueue
    ) {
        inbound = Inbound(
            registry: registry, dispatch: dispatch, config: config, notify: notify,
            makeAcknowledger: { Acknowledger(ticket: $0, queue: acknowledgements) })
    }

    func bind(to eventLoop: any EventLoop) -> NIOLoopBoundBox<Inbound> {
        .makeBoxSendingValue(inbound, eventLoop: eventLoop)
    }
}
