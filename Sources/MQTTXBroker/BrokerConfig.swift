public import Logging
public import MQTTCore

/// How a broker listens, whom it lets in, and its limits. Every limit has a default.
public struct BrokerConfig: Sendable {
    /// Where it listens; several of one kind are fine. By default on 127.0.0.1 on a free port.
    public var listeners: [BrokerListener]

    // MARK: Access

    /// Whether clients without user name and certificate are let in. By default on loopback and Unix sockets alone.
    public var anonymous: AnonymousAccess = .onLoopback
    /// Checks user names and passwords. Nil takes any, where anonymous clients are taken.
    public var authenticator: (any Authenticator)?
    /// Says which topics a client may use. Nil allows all of them.
    public var authorizer: (any Authorizer)?
    /// The methods of enhanced authentication (section 4.12).
    public var enhancedAuthenticators: [any EnhancedAuthenticator] = []
    /// Takes the common name of a verified client certificate for the user name, and asks for no password then.
    public var usesCertificateAsIdentity = true

    // MARK: Limits

    /// The largest packet taken, in bytes, 20 at least; announced in MQTT 5.0.
    public var maximumPacketSize = 2 << 20
    /// The largest PUBLISH payload taken, in bytes. A larger one ends the connection with 0x95 in MQTT 5.0; in 3.1.1,
    /// which has no way to say so, it is acknowledged, dropped and counted. A will's is refused with the CONNECT. Nil for
    /// no limit but that on the packet.
    public var maximumPayloadSize: Int?
    /// The highest QoS taken and granted; announced in MQTT 5.0. A message with a higher one ends the connection, with
    /// 0x9B in MQTT 5.0 and without a word in 3.1.1, which has none; a will with a higher one is refused with the CONNECT.
    public var maximumQoS: QoS = .exactlyOnce
    /// Connections at one time, on all listeners together. One more is refused, with 0x97 in MQTT 5.0 and 0x03 in 3.1.1,
    /// unless its client is connected already, and takes its own place; of very many more at once, most are closed without an answer. A listener has no more in their TLS and WebSocket
    /// handshakes either.
    public var maximumConnections = 100_000
    /// Sessions at one time, connected or not.
    public var maximumSessions = 100_000
    /// Messages of QoS 1 and 2 sent to one client and not yet acknowledged. The client's Receive Maximum holds as well.
    public var maximumInflight = 1000
    /// Messages that wait for a client that is away or does not keep up; see ``dropPolicy``.
    public var maximumQueuedMessages = 1000
    /// The same in bytes.
    public var maximumQueuedBytes = 64 << 20
    /// The same in bytes for the queues of all clients that are away or take nothing; a message counts for each of them.
    public var maximumTotalQueuedBytes = 1 << 30
    /// Which message gives way when a queue is full.
    public var dropPolicy: DropPolicy = .newest
    /// Messages of QoS 1 and 2 taken unacknowledged from one client of MQTT 5.0; announced. 1 to 65,535. More at QoS 2 end
    /// the connection.
    public var receiveMaximum: UInt16 = 100
    /// Topic aliases that a client may set; announced.
    public var topicAliasMaximum: UInt16 = 32
    /// The longest time that a session outlives its connection, in seconds. Nil for ever.
    public var sessionExpiryLimit: UInt32?
    /// The longest keep alive, in seconds; announced in MQTT 5.0 as the server's, to clients that ask for none too. Never a
    /// reason to refuse a client. Nil for a minute where a client asks for longer, and none where it asks for none.
    public var maximumKeepAlive: UInt16?
    /// The longest client identifier, in bytes.
    public var maximumClientIDLength = 65_535
    /// Subscriptions of one session.
    public var maximumSubscriptions = 250_000
    /// Levels that one session's filters with `+`, and its shared subscriptions, make a publish look at: those of all
    /// arrangements of names and `+` together, each counted once however many filters are of it. A subscription beyond
    /// that is refused with 0x97.
    public var maximumWildcardLevels = 10_000
    /// The memory that the subscriptions of all sessions may take, roughly, in bytes; long and deep filters take more.
    public var maximumSubscriptionBytes = 1 << 30
    /// Retained messages of all topics. One more is refused with 0x97 at QoS 1 and 2 of MQTT 5.0; otherwise it goes to those
    /// who have subscribed, and is not retained.
    public var maximumRetainedMessages = 1_000_000
    /// The memory that they and the levels of their topics may take, roughly, in bytes.
    public var maximumRetainedBytes = 1 << 30
    /// The memory that the wills of all clients may take, roughly, in bytes: of those that are connected, and those that
    /// wait for their delay. A CONNECT with one more is refused, with 0x97 in MQTT 5.0 and 0x03 in 3.1.1.
    public var maximumWillBytes = 256 << 20
    /// The memory that packets of all clients may take which have not wholly arrived, in bytes. The connection that needs
    /// more ends, with 0x97 in MQTT 5.0.
    public var maximumPartialBytes = 1 << 30
    /// How long a client may take from connecting to the end of its authentication.
    public var connectTimeout: Duration = .seconds(10)
    /// How long a subscriber may take nothing before it stops holding back those who publish to it.
    public var stallTimeout: Duration = .seconds(1)

    // MARK: What is offered

    /// Whether messages are retained.
    public var isRetainAvailable = true
    /// Whether filters may have wildcards.
    public var areWildcardsAvailable = true
    /// Whether subscriptions may be shared.
    public var areSharedSubscriptionsAvailable = true
    /// Subscriptions to exactly these filters are refused with 0x80, in both versions: not for want of permission, which an
    /// ``authorizer`` refuses with 0x87 in 5.0. Tests of clients want a broker that does so.
    public var deniedFilters: Set<String> = []
    /// The prefix for response topics that a client of MQTT 5.0 is told when it asks.
    public var responseInformation: String?

    // MARK: Operation

    /// How often `$SYS` topics change. Zero switches them off.
    public var systemTopicInterval: Duration = .seconds(10)
    /// Event loops; nil for one a core, and at least two.
    public var threads: Int?
    /// Where the broker logs. By default nowhere. At debug level every packet is said, without payloads and passwords, and why
    /// connections end; the level is looked at when a connection opens.
    public var logger: Logger?

    /// The defaults, on these listeners.
    public init(listeners: [BrokerListener] = [.tcp()]) { self.listeners = listeners }

    /// When clients are let in that don't say who they are.
    public enum AnonymousAccess: Sendable, Hashable {
        /// Everywhere, on listeners that the whole network reaches too.
        case always
        /// On listeners that this machine alone reaches.
        case onLoopback
        /// Nowhere.
        case never
    }

    /// Which message is dropped when a session's queue is full. It is counted either way.
    public enum DropPolicy: Sendable, Hashable {
        /// The one that finds the queue full.
        case newest
        /// The one that has waited longest.
        case oldest
    }
}
