import Logging
import MQTTCore
import NIOCore
import Synchronization

/// What all connections of a broker share.
final class BrokerCore: Sendable {
    let config: BrokerConfig
    let policy: ServerPolicy
    let router: Router
    let retained: RetainedStore
    let sessions = SessionRegistry()
    let departures = DepartureBook()
    let counters = BrokerCounters()
    let system: SystemTopics
    let logger: Logger?
    let limits: SessionLimits
    /// What the wills of all clients take.
    let wills: MemoryAccount
    /// What packets of all clients take that have not wholly arrived.
    let partials: MemoryAccount

    private struct State {
        var isStopping = false
        var isDeaf = false
        var refusal: ReasonCode?
        var connections: [ObjectIdentifier: ClientConnection] = [:]
        /// How many of them are there to be refused.
        var surplus = 0
    }

    private let state = Mutex(State())
    private let spareIDPrefix = "auto-" + String(UInt64.random(in: .min ... .max), radix: 36) + "-"
    private let spareIDs = Atomic<Int>(0)
    private let deniedFilters: Set<UTF8Key>

    init(_ config: BrokerConfig) {
        self.config = config
        logger = config.logger
        policy = ServerPolicy(
            receiveMaximum: max(1, config.receiveMaximum),
            maximumPacketSize: UInt32(clamping: max(20, config.maximumPacketSize)),
            topicAliasMaximum: config.topicAliasMaximum, maximumQoS: config.maximumQoS,
            isRetainAvailable: config.isRetainAvailable, areWildcardsAvailable: config.areWildcardsAvailable,
            areSharedSubscriptionsAvailable: config.areSharedSubscriptionsAvailable,
            sessionExpiryLimit: config.sessionExpiryLimit, maximumKeepAlive: config.maximumKeepAlive,
            maximumPayloadSize: config.maximumPayloadSize, maximumClientIDLength: config.maximumClientIDLength,
            responseInformation: config.responseInformation,
            authenticationMethods: Set(config.enhancedAuthenticators.map(\.method)))
        limits = SessionLimits(
            maximumQueuedMessages: max(1, config.maximumQueuedMessages), maximumQueuedBytes: config.maximumQueuedBytes,
            maximumInflight: min(65_535, max(1, config.maximumInflight)), dropsOldest: config.dropPolicy == .oldest,
            account: MemoryAccount(limit: config.maximumTotalQueuedBytes))
        wills = MemoryAccount(limit: config.maximumWillBytes)
        partials = MemoryAccount(limit: config.maximumPartialBytes)
        retained = RetainedStore(
            maximumCount: config.maximumRetainedMessages, maximumBytes: config.maximumRetainedBytes)
        deniedFilters = Set(config.deniedFilters.map(UTF8Key.init))
        system = SystemTopics()
        var mayRead: Router.ReadCheck?
        if let authorizer = config.authorizer {
            mayRead = { session, topic in authorizer.mayReceive(topic, by: session.identity) }
        }
        router = Router(
            maximumSubscriptions: config.maximumSubscriptions, maximumWildcardLevels: config.maximumWildcardLevels,
            maximumBytes: config.maximumSubscriptionBytes, mayRead: mayRead)
    }

    // MARK: Access

    func allowsAnonymous(_ origin: ConnectionOrigin) -> Bool {
        switch config.anonymous {
        case .always: true
        case .onLoopback: origin.isLocal
        case .never: false
        }
    }

    func mayPublish(_ topic: String, by identity: ClientIdentity) -> Bool {
        if TopicName.belongsToServer(topic) { return false }
        return config.authorizer?.mayPublish(topic, by: identity) ?? true
    }

    /// Asks the authorizer anew: about all that is published from now on, and about what waits for clients already.
    func accessRulesChanged() {
        router.invalidate()
        guard let authorizer = config.authorizer else { return }
        for session in sessions.all {
            let identity = session.identity
            let topics = session.outbound.withLock { $0.queue.topics }
            let forbidden = topics.filter { !authorizer.mayReceive($0.string, by: identity) }
            guard !forbidden.isEmpty else { continue }
            counters.messagesDropped.count(session.outbound.withLock { $0.discardQueued(of: forbidden) })
        }
    }

    func isDenied(_ filter: TopicFilter) -> Bool {
        !deniedFilters.isEmpty
            && (deniedFilters.contains(UTF8Key(filter.string)) || deniedFilters.contains(UTF8Key(filter.filter)))
    }

    func spareClientID() -> String { spareIDPrefix + String(spareIDs.add(1, ordering: .relaxed).newValue) }

    // MARK: Connections

    /// Connections beyond the limit that may be there at one time, to be told that there is no room.
    static let surplusConnections = 32
    private static let surplusTimeout = Duration.seconds(2)

    /// - Returns: how long it may take to get connected; nil if it is to be closed at once.
    func opened(_ connection: ClientConnection) -> Duration? {
        state.withLock { state in
            guard !state.isStopping, !state.isDeaf else { return nil }
            if state.connections.count - state.surplus >= config.maximumConnections {
                guard state.surplus < Self.surplusConnections else { return nil }
                connection.isSurplus = true
                state.surplus += 1
            }
            state.connections[ObjectIdentifier(connection)] = connection
            return connection.isSurplus ? min(Self.surplusTimeout, config.connectTimeout) : config.connectTimeout
        }
    }

    /// It takes the place of another, which is about to close.
    private func promote(_ connection: ClientConnection) {
        state.withLock { state in
            connection.isSurplus = false
            state.surplus -= 1
        }
    }

    func closed(_ connection: ClientConnection) {
        state.withLock { state in
            let removed = state.connections.removeValue(forKey: ObjectIdentifier(connection))
            if removed?.isSurplus == true { state.surplus -= 1 }
        }
    }

    /// All connections, and there will be no more if `stopping`.
    func connections(stopping: Bool = false) -> [ClientConnection] {
        state.withLock { state in
            if stopping { state.isStopping = true }
            return Array(state.connections.values)
        }
    }

    /// Why a CONNECT is refused before anybody is asked who the client is.
    func refusal(of connection: ClientConnection, _ clientID: String) -> (code: ReasonCode, reason: String?)? {
        // A client whose last connection the network has forgotten takes its own place.
        if connection.isSurplus, !sessions.isConnected(clientID) { return (.quotaExceeded, "too many connections") }
        return state.withLock { $0.refusal }.map { ($0, nil) }
    }

    /// Refuses every CONNECT; nil ends it.
    func refuse(_ code: ReasonCode?) { state.withLock { $0.refusal = code } }

    /// Whether new connections are closed at once.
    func setDeaf(_ isDeaf: Bool) { state.withLock { $0.isDeaf = isDeaf } }

    // MARK: Sessions

    /// Gives the connection its session, taking it from the one that has it (MQTT-3.1.4-3).
    ///
    /// - Returns: whether a session was present; nil when there are too many.
    func enter(_ connection: ClientConnection, _ admission: ServerHandshake.Admission) -> Bool? {
        while true {
            guard
                let (session, isResumed, replaced) = sessions.open(
                    connection.identity, cleanStart: admission.cleanStart, limits: limits,
                    maximum: config.maximumSessions)
            else { return nil }
            if let replaced { end(replaced, on: connection.loop) }
            let attached = session.outbound.withLock {
                $0.attach(
                    connection, version: admission.version,
                    packetLimit: Int(admission.maximumPacketSize ?? 268_435_460),
                    receiveMaximum: Int(admission.receiveMaximum), topicAliasMaximum: Int(admission.topicAliasMaximum),
                    isTransient: admission.sessionExpiry == 0)
            }
            // It has ended, or it ends with the connection that it has: not this one's to resume (MQTT-3.1.2-6).
            guard let attached else {
                end(session, on: connection.loop)
                continue
            }
            connectionChanged(of: session)
            departures.cancel(session)
            session.inbound.withLock { $0.connectionStarted(sessionPresent: isResumed) }
            connection.session = session
            if connection.isSurplus { promote(connection) }
            counters.connectionsAccepted.count()
            counters.connections.count()
            for waiter in attached.released { waiter.releaseFromAnywhere(on: connection.loop) }
            if let previous = attached.previous { previous.loop.eventLoop.execute { previous.takenOver() } }
            return isResumed
        }
    }

    /// A connection gives its session up, on its event loop. Harmless when it has none any more.
    func leave(_ connection: ClientConnection) {
        guard let session = connection.session else { return }
        connection.session = nil
        counters.connections.count(-1)
        let (waiters, isOver, attachment) = session.outbound.withLock {
            ($0.detach(connection), $0.isEnded, $0.attachments)
        }
        for waiter in waiters ?? [] { waiter.releaseFromAnywhere(on: connection.loop) }
        let will = connection.will
        connection.will = nil
        guard waiters != nil, !isOver else {
            // Another connection has resumed the session: a will with a delay is not for this case (MQTT-3.1.3-9), whatever
            // became of the session since. If it ended while it was this one's, no will waits.
            if let will, waiters != nil || will.delay == 0 {
                publish(will, from: session, on: connection.loop)
            }
            return
        }
        connectionChanged(of: session)
        passOnShared(of: session, on: connection.loop)
        let expiry = connection.sessionExpiry
        guard expiry != 0 else {
            end(session, on: connection.loop)
            if let will { publish(will, from: session, on: connection.loop) }
            return
        }
        departures.add(session, attachment, will: will, expiry: expiry, broker: self, loop: connection.loop)
    }

    /// Ends a session: its subscriptions, its messages and its will's delay.
    func end(_ session: Session, on loop: BrokerLoop) {
        let (connection, orphans) = session.outbound.withLock { ($0.connection, $0.end()) }
        ended(session, orphans ?? [], on: loop)
        if orphans != nil, let connection { connection.loop.eventLoop.execute { connection.takenOver() } }
    }

    /// A session that waited for its client long enough.
    func expire(_ session: Session, on loop: BrokerLoop) {
        let orphans = session.outbound.withLock { $0.connection == nil ? $0.end() : nil }
        guard let orphans else { return }
        ended(session, orphans, on: loop)
    }

    private func ended(_ session: Session, _ orphans: [Delivery], on loop: BrokerLoop) {
        sessions.remove(session)
        router.removeAll(session)
        if let will = departures.cancel(session) { publish(will, from: session, on: loop) }
        passOn(orphans, on: loop)
    }

    /// Shared subscriptions prefer members that are connected.
    private func connectionChanged(of session: Session) {
        guard session.hasSharedSubscriptions else { return }
        for group in router.sharedGroups(of: session) { group.connectionChanged(session) }
    }

    /// What a client that is gone has not acknowledged goes to the other members of its shared subscriptions, where
    /// there are any; otherwise it is kept for the client, with its packet identifiers.
    private func passOnShared(of session: Session, on loop: BrokerLoop) {
        guard session.hasSharedSubscriptions else { return }
        let groups = session.outbound.withLock { $0.sharedGroups }.filter { $0.hasOthersConnected(than: session) }
        guard !groups.isEmpty else { return }
        passOn(session.outbound.withLock { $0.takeShared(of: groups) }, on: loop)
    }

    private func passOn(_ deliveries: [Delivery], on loop: BrokerLoop) {
        for delivery in deliveries {
            guard let group = delivery.group else { continue }
            var publication = Publication(delivery.message)
            _ = deliver(&publication, to: group, on: loop, publisher: nil)
        }
    }

    // MARK: Messages

    /// Hands a message to all on its route.
    ///
    /// - Returns: how many sessions hold the publisher from now on.
    func deliver(
        _ publication: inout Publication, along route: Route, on loop: BrokerLoop, publisher: ClientConnection?
    ) -> Int {
        var holds = 0
        for target in route.targets {
            // Each grant from its place: a copy would count references.
            let isHeld: Bool?
            if publication.origin === target.session {
                guard let own = target.ownGrant else { continue }
                isHeld = put(&publication, into: target.session, own, group: nil, on: loop, publisher: publisher)
            } else {
                isHeld = put(
                    &publication, into: target.session, target.grant, group: nil, on: loop, publisher: publisher)
            }
            switch isHeld {
            case true?: holds += 1
            case false?: break
            case nil: loop.tally.dropped += 1
            }
        }
        for group in route.groups where deliver(&publication, to: group, on: loop, publisher: publisher) { holds += 1 }
        return holds
    }

    private func deliver(
        _ publication: inout Publication, to group: SharedGroup, on loop: BrokerLoop, publisher: ClientConnection?
    ) -> Bool {
        let topic = publication.topic
        let isKept = publication.qos > .atMostOnce
        let holds = group.offer(
            isKept: isKept, mayRead: { config.authorizer?.mayReceive(topic, by: $0.identity) ?? true }
        ) {
            // It may have left by now, or have no room: the message is for the next one then.
            put(&publication, into: $0, $1, group: group, on: loop, publisher: publisher)
        }
        if holds == nil { loop.tally.dropped += 1 }
        return holds ?? false
    }

    /// - Returns: whether the publisher is held from now on; nil if the session has not taken the message.
    @inline(__always)
    private func put(
        _ publication: inout Publication, into session: Session, _ grant: Route.Grant, group: SharedGroup?,
        on loop: BrokerLoop, publisher: ClientConnection?
    ) -> Bool? {
        let outcome = session.outbound.withLock {
            $0.put(
                &publication, qos: min(publication.qos, grant.qos),
                retain: publication.retain && grant.retainAsPublished,
                identifiers: grant.identifiers, group: group, publisher: publisher)
        }
        loop.tally.dropped += outcome.displaced
        if outcome.isRefused { return nil }
        loop.tally.sent += 1
        if outcome.holds { loop.tally.held += 1 }
        if let connection = outcome.wake { loop.wake(connection) }
        return outcome.holds
    }

    /// Publishes a will (MQTT-3.1.2-8). Nobody is held for it.
    func publish(_ will: PendingWill, from session: Session, on loop: BrokerLoop) {
        guard mayPublish(will.topic, by: session.identity) else { return }
        var publication = Publication(will.content, qos: will.qos, retain: will.retain, origin: session)
        publish(&publication, on: loop)
    }

    func publish(_ publication: inout Publication, on loop: BrokerLoop) {
        if publication.retain { _ = retained.store(publication.message()) }
        _ = deliver(&publication, along: loop.route(for: publication.topic, in: router), on: loop, publisher: nil)
    }
}
