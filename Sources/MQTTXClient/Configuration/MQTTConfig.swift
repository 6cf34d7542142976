public import Logging
public import MQTTCore
public import MQTTNetwork
public import NIOCore

/// How a client reaches its broker and how it behaves. The defaults are those of the Python package, mended where they
/// could not work.
public struct MQTTConfig: Sendable {
    /// The broker's host name or IP address.
    public var brokerHost: String
    /// The broker's port: 1 to 65,535.
    public var brokerPort: Int
    /// The client identifier. Empty: one is generated, and its session ends with the connection.
    public var clientID: String
    /// How long the line may be silent before a ping; zero switches pings off. Whole seconds up to 65,535 (section 3.1.2.10).
    public var keepAlive: Duration
    /// Whether every connection starts without what the broker may have kept: Clean Session in MQTT 3.1.1, Clean Start in 5.0.
    public var cleanSession: Bool
    /// How long the broker keeps the session after the connection ends (MQTT 5.0). Nil: an hour where `cleanSession` is
    /// false and `clientID` was given, otherwise not at all.
    public var sessionExpiry: Duration?
    /// The protocol version. Nil: 5.0, and 3.1.1 if the broker refuses that at the first connection.
    public var version: ProtocolVersion?
    /// Encryption. See ``TLSConfig``.
    public var tls: TLSConfig
    /// Who we are. See ``AuthConfig``.
    public var auth: AuthConfig
    /// What happens when the connection is lost. See ``ReconnectConfig``.
    public var reconnect: ReconnectConfig
    /// What the broker publishes when this client goes without a word (section 3.1.2.5).
    public var will: Will?
    /// What carries the packets: TCP (the default), WebSocket, or a Unix socket.
    public var transport: Transport
    /// A proxy between the client and the broker.
    public var proxy: Proxy?

    /// How many messages may wait to be sent; 0 sets no limit of count, and ``maxQueuedBytes`` still holds.
    public var maxQueuedMessages: Int
    /// How many bytes of messages may wait to be sent.
    public var maxQueuedBytes: Int
    /// What happens to a message when the queue is full.
    public var queuePolicy: QueuePolicy
    /// What happens to a message published while there is no connection but one is being sought.
    public var whileDisconnected: DisconnectedPolicy
    /// What happens to QoS 2 messages in flight when the broker has lost the session.
    public var lostSessionQoS2: LostSessionPolicy
    /// The largest payload, in bytes, sent or received.
    public var maxPayloadSize: Int

    /// How many bytes of acknowledgements the broker may leave unread before we read no more of it. Those of all messages
    /// that can be in flight, 65,535, fit in twice: a broker that is slow is let be.
    var maxUnreadAnswers = 1024 * 1024

    /// How many received messages may wait for their handlers before reading stops.
    public var messageQueueMaxSize: Int
    /// How many bytes received messages may hold in memory before reading stops.
    public var messageQueueMaxBytes: Int
    /// How many handlers run at once; nil is twice the number of processor cores. With one, messages are handled in the
    /// order received, whatever their topics.
    public var numWorkers: Int?
    /// Whether handlers run on the thread that reads and writes the connection, as tasks do with
    /// ``MQTTClient/taskExecutor``, and not in Swift's pool of threads.
    ///
    /// A message then changes no thread on its way, which saves a tenth to a third of what it costs. In return nothing is
    /// read or written while a handler runs, and one that blocks stops the client: for handlers that await and compute little.
    /// Those registered with `blocking: true` have threads of their own in any case. Disconnect before ``eventLoopGroup``
    /// is shut down: handlers don't end after that. False by default.
    public var handlersRunOnEventLoop: Bool
    /// When a message of QoS 1 or 2 is acknowledged.
    public var acknowledgement: AcknowledgementMode

    /// How many unacknowledged QoS 1 and 2 messages the broker may send us: 1 to 65,535 (MQTT 5.0, section 3.1.2.11.3);
    /// without effect on 3.1.1.
    public var receiveMaximum: UInt16
    /// The largest packet taken from the broker, in bytes (MQTT 5.0, section 3.1.2.11.4). Nil: room for the largest payload,
    /// and 128 KiB for topic and properties.
    public var maximumPacketSize: Int?
    /// The highest topic alias taken from the broker; 0 for none (MQTT 5.0).
    public var topicAliasMaximum: UInt16
    /// Whether topics get aliases when the broker takes them (MQTT 5.0).
    public var usesTopicAliases: Bool
    /// User properties of the CONNECT (MQTT 5.0).
    public var connectProperties: [UserProperty]
    /// Whether the broker is asked for the basis of response topics (MQTT 5.0, section 3.1.2.11.6).
    public var requestsResponseInformation: Bool
    /// Whether the broker may say why in words, with reason strings and user properties, on all packets
    /// (MQTT 5.0, section 3.1.2.11.7).
    public var requestsProblemInformation: Bool
    /// Enhanced authentication (MQTT 5.0, section 4.12), as ``SCRAMSHA256Method``. With it there is no falling back to
    /// MQTT 3.1.1, which would connect without.
    public var authenticationMethod: (any AuthenticationMethod)?
    /// How often in a row the client follows a broker that names another (MQTT 5.0, section 4.11); 0 follows none. The
    /// other broker gets the same credentials.
    public var maxRedirects: Int

    /// How long one attempt to connect may take, from the name look-up to the CONNACK.
    public var connectTimeout: Duration
    /// How long the broker may take to answer a ping, a SUBSCRIBE or an UNSUBSCRIBE.
    public var operationTimeout: Duration
    /// Where log messages go. Nothing is printed otherwise. At debug level every packet is said, without payloads, user names
    /// and passwords; the level is looked at when a connection opens.
    public var logger: Logger
    /// The event loops to run on; nil uses the process's own.
    public var eventLoopGroup: (any EventLoopGroup)?

    /// - Parameters:
    ///   - brokerHost: the broker's host name or IP address.
    ///   - brokerPort: the broker's port.
    ///   - clientID: the client identifier; empty generates one.
    ///   - keepAlive: how long the line may be silent.
    ///   - cleanSession: whether every connection starts afresh.
    public init(
        brokerHost: String = "localhost", brokerPort: Int = 1883, clientID: String = "",
        keepAlive: Duration = .seconds(60), cleanSession: Bool = false, version: ProtocolVersion? = nil,
        tls: TLSConfig = TLSConfig(), auth: AuthConfig = AuthConfig(), reconnect: ReconnectConfig = ReconnectConfig(),
        will: Will? = nil, maxQueuedMessages: Int = 0, maxPayloadSize: Int = 1024 * 1024,
        messageQueueMaxSize: Int = 100_000, numWorkers: Int? = nil,
        logger: Logger = Logger(label: "mqttx", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        self.brokerHost = brokerHost
        self.brokerPort = brokerPort
        self.clientID = clientID
        self.keepAlive = keepAlive
        self.cleanSession = cleanSession
        self.sessionExpiry = nil
        self.version = version
        self.tls = tls
        self.auth = auth
        self.reconnect = reconnect
        self.will = will
        self.transport = .tcp
        self.proxy = nil
        self.maxQueuedMessages = maxQueuedMessages
        self.maxQueuedBytes = 64 * 1024 * 1024
        self.queuePolicy = .wait
        self.whileDisconnected = .queue
        self.lostSessionQoS2 = .outcomeUnknown
        self.maxPayloadSize = maxPayloadSize
        self.messageQueueMaxSize = messageQueueMaxSize
        self.messageQueueMaxBytes = 16 * 1024 * 1024
        self.numWorkers = numWorkers
        self.handlersRunOnEventLoop = false
        self.acknowledgement = .afterHandler
        self.receiveMaximum = 1_000
        self.maximumPacketSize = nil
        self.topicAliasMaximum = 16
        self.usesTopicAliases = true
        self.connectProperties = []
        self.requestsResponseInformation = false
        self.requestsProblemInformation = true
        self.authenticationMethod = nil
        self.maxRedirects = 3
        self.connectTimeout = .seconds(10)
        self.operationTimeout = .seconds(30)
        self.logger = logger
        self.eventLoopGroup = nil
    }
}

/// What carries the packets between client and broker.
public enum Transport: Sendable, Hashable {
    /// TCP, or TLS where that is enabled.
    case tcp
    /// WebSocket at this path (`/mqtt` by custom), secure where TLS is enabled (section 6).
    /// `headers` go with the HTTP request.
    case webSocket(path: String, headers: [String: String] = [:])
    /// A Unix domain socket; host and port are not used.
    case unixSocket(path: String)
}

/// What happens to a message when the queue of messages to be sent is full.
public enum QueuePolicy: Sendable, Hashable {
    /// The publishing task waits for room.
    case wait
    /// The message is refused with ``ErrorCode/queueFull``.
    case fail
    /// The oldest waiting message ends with ``ErrorCode/queueFull`` and the new one is taken.
    case dropOldest
    /// The new message ends with ``ErrorCode/queueFull``; as `fail`, but counted as dropped.
    case dropNewest
}

/// What happens to a message published while the connection is away.
public enum DisconnectedPolicy: Sendable, Hashable {
    /// It waits in the queue for the next connection.
    case queue
    /// It is refused with ``ErrorCode/notConnected``.
    case refuse
}

/// What happens to QoS 2 messages in flight when the broker has lost the session: it may or may not have passed them on.
public enum LostSessionPolicy: Sendable, Hashable {
    /// They end with ``ErrorCode/publishFailed`` that says the outcome is unknown.
    case outcomeUnknown
    /// They are sent again and may arrive twice.
    case sendAgain
}

/// When a received message of QoS 1 or 2 is acknowledged.
public enum AcknowledgementMode: Sendable, Hashable {
    /// When its handlers have returned, in the order received. To keep a broker from holding back what one of our own
    /// operations waits for, the oldest may be acknowledged earlier; that is counted.
    case afterHandler
    /// When its handlers have returned, without exception.
    case afterHandlerStrict
    /// When it was received.
    case onReceipt
    /// When the program calls ``MQTTMessage/acknowledge(_:)``.
    case manual
}
