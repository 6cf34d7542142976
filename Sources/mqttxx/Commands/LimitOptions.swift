import ArgumentParser
import MQTTX
import MQTTXBroker

/// What `broker` takes and offers. What is not given stays as the broker has it.
struct LimitOptions: ParsableArguments {
    @Option(help: "The largest packet taken, in bytes. (default: 2 MiB)")
    var maxPacketSize: CountArgument?

    @Option(help: "The largest payload taken, in bytes. (default: any that the packet holds)")
    var maxPayload: CountArgument?

    @Option(help: "The highest QoS: 0, 1 or 2. (default: 2)")
    var maxQos: QoS?

    @Option(help: "Connections at one time. (default: 100000)")
    var maxConnections: CountArgument?

    @Option(help: "Sessions at one time, connected or not. (default: 100000)")
    var maxSessions: CountArgument?

    @Option(help: "Unacknowledged messages on their way to one client. (default: 1000)")
    var maxInflight: CountArgument?

    @Option(help: "Messages that wait for one client. (default: 1000)")
    var maxQueued: CountArgument?

    @Option(help: "Bytes that wait for one client. (default: 64 MiB)")
    var maxQueuedBytes: CountArgument?

    @Option(help: "Bytes that wait for all clients that are away or take nothing. (default: 1 GiB)")
    var maxTotalQueuedBytes: CountArgument?

    @Flag(help: "A full queue lets go of its oldest message, not the newest.")
    var dropOldest = false

    @Option(help: "Unacknowledged messages taken from one client, announced in MQTT 5.0. (default: 100)")
    var receiveMaximum: UInt16?

    @Option(help: "Topic aliases that a client may set. (default: 32)")
    var topicAliasMaximum: UInt16?

    @Option(help: "The longest that a session outlives its connection, in seconds. (default: any time)")
    var sessionExpiryLimit: UInt32?

    @Option(help: "The longest keep alive in seconds, announced in MQTT 5.0. (default: 60, or none if none is wanted)")
    var maxKeepalive: UInt16?

    @Option(help: "The longest client identifier, in bytes. (default: 65535)")
    var maxClientIdLength: CountArgument?

    @Option(help: "Subscriptions of one session. (default: 250000)")
    var maxSubscriptions: CountArgument?

    @Option(help: "Levels of differently arranged wildcards of one session. (default: 10000)")
    var maxWildcardLevels: CountArgument?

    @Option(help: "Memory for the subscriptions of all sessions, in bytes. (default: 1 GiB)")
    var maxSubscriptionBytes: CountArgument?

    @Option(help: "Retained messages. (default: 1000000)")
    var maxRetained: CountArgument?

    @Option(help: "Bytes of retained messages. (default: 1 GiB)")
    var maxRetainedBytes: CountArgument?

    @Option(help: "Memory for the wills of all clients, in bytes. (default: 256 MiB)")
    var maxWillBytes: CountArgument?

    @Option(help: "Memory for packets that have not wholly arrived, in bytes. (default: 1 GiB)")
    var maxPartialBytes: CountArgument?

    @Option(help: "Seconds a client may take to say who it is. (default: 10)")
    var connectTimeout: SecondsArgument?

    @Option(help: "Seconds that a subscriber that takes nothing holds publishers back. (default: 1)")
    var stallTimeout: SecondsArgument?

    @Flag(help: "No retained messages.")
    var noRetain = false

    @Flag(help: "No wildcards in filters.")
    var noWildcards = false

    @Flag(help: "No shared subscriptions.")
    var noShared = false

    @Option(
        parsing: .unconditionalSingleValue, help: "Refuse subscriptions to exactly this filter, with 0x80. (repeatable)"
    )
    var denySubscribe: [String] = []

    @Option(parsing: .unconditional, help: "The prefix for response topics that clients are told who ask.")
    var responseInformation: String?

    @Option(help: "Seconds between changes of the $SYS topics; 0 for none. (default: 10)")
    var sysInterval: SecondsArgument?

    @Option(help: "Threads. (default: one a core, and at least two)")
    var threads: CountArgument?

    mutating func validate() throws {
        if receiveMaximum == 0 { throw ValidationError("--receive-maximum is 1 to 65535") }
        for filter in denySubscribe { try UsableFilter.check(filter, of: "--deny-subscribe") }
        if let prefix = responseInformation { try UsableFilter.checkName(prefix, of: "--response-information") }
        if maxKeepalive == 0 { throw ValidationError("--max-keepalive is 1 to 65535") }
        if let size = maxPacketSize?.count, !(20...268_435_460).contains(size) {
            throw ValidationError("--max-packet-size is 20 to 268435460")
        }
        if let count = maxInflight?.count, count > 65_535 { throw ValidationError("--max-inflight is 1 to 65535") }
        if connectTimeout?.seconds == 0 { throw ValidationError("--connect-timeout is more than 0") }
        if let count = threads?.count, count > 1_024 { throw ValidationError("--threads is 1 to 1024") }
    }

    func apply(to config: inout BrokerConfig) {
        set(&config.maximumPacketSize, maxPacketSize?.count)
        config.maximumPayloadSize = maxPayload?.count
        set(&config.maximumQoS, maxQos)
        set(&config.maximumConnections, maxConnections?.count)
        set(&config.maximumSessions, maxSessions?.count)
        set(&config.maximumInflight, maxInflight?.count)
        set(&config.maximumQueuedMessages, maxQueued?.count)
        set(&config.maximumQueuedBytes, maxQueuedBytes?.count)
        set(&config.maximumTotalQueuedBytes, maxTotalQueuedBytes?.count)
        if dropOldest { config.dropPolicy = .oldest }
        set(&config.receiveMaximum, receiveMaximum)
        set(&config.topicAliasMaximum, topicAliasMaximum)
        config.sessionExpiryLimit = sessionExpiryLimit
        config.maximumKeepAlive = maxKeepalive
        set(&config.maximumClientIDLength, maxClientIdLength?.count)
        set(&config.maximumSubscriptions, maxSubscriptions?.count)
        set(&config.maximumWildcardLevels, maxWildcardLevels?.count)
        set(&config.maximumSubscriptionBytes, maxSubscriptionBytes?.count)
        set(&config.maximumRetainedMessages, maxRetained?.count)
        set(&config.maximumRetainedBytes, maxRetainedBytes?.count)
        set(&config.maximumWillBytes, maxWillBytes?.count)
        set(&config.maximumPartialBytes, maxPartialBytes?.count)
        set(&config.connectTimeout, connectTimeout?.duration)
        set(&config.stallTimeout, stallTimeout?.duration)
        config.isRetainAvailable = !noRetain
        config.areWildcardsAvailable = !noWildcards
        config.areSharedSubscriptionsAvailable = !noShared
        config.deniedFilters = Set(denySubscribe)
        config.responseInformation = responseInformation
        set(&config.systemTopicInterval, sysInterval?.duration)
        config.threads = threads?.count
    }

    private func set<Value>(_ limit: inout Value, _ value: Value?) {
        if let value { limit = value }
    }
}
