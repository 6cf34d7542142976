/// Counters since the client was made. Snapshots; reading them costs a lock.
public struct ClientStatistics: Sendable, Hashable {
    /// PUBLISH packets received.
    public var messagesReceived = 0
    /// Messages whose handlers have returned.
    public var messagesHandled = 0
    /// Received messages that reached no handler: queue reserve full, parking time over, refused.
    public var messagesDropped = 0
    /// Messages that waited for a handler to be registered.
    public var messagesParked = 0
    /// Payloads skipped because of their size.
    public var payloadsSkipped = 0
    /// Handlers that threw.
    public var handlerFailures = 0
    /// Acknowledgements sent before the handlers returned.
    public var acknowledgedEarly = 0
    /// PUBLISH packets sent, again-sent ones included.
    public var messagesSent = 0
    /// Messages that the broker has acknowledged, or that were written (QoS 0).
    public var messagesDelivered = 0
    /// Messages of ours that failed, were dropped by the queue's policy, or whose outcome is unknown.
    public var publishFailures = 0
    /// Messages of QoS 0 that were being written when a connection was lost.
    public var messagesLost = 0
    /// Messages of a higher layer (RPC, events) that were ignored as not understood, late or not allowed.
    public var messagesIgnored = 0
    /// Received messages that wait for their handlers now.
    public var queuedInbound = 0
    /// Bytes that those hold in memory.
    public var queuedInboundBytes = 0
    /// Messages of ours that wait to be sent now.
    public var queuedOutbound = 0
    /// Messages of QoS 1 and 2 in flight now.
    public var inFlight = 0
    /// Connections that the broker accepted.
    public var connections = 0
    /// Notices that nobody took in time.
    public var noticesDropped = 0

    /// All zero.
    public init() {}
}
