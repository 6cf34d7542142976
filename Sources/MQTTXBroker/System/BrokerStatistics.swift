/// What a broker has done since it started, and holds now.
public struct BrokerStatistics: Sendable, Hashable {
    /// Connections now; those whose CONNECT has been accepted.
    public var connections = 0
    /// CONNECTs accepted so far.
    public var connectionsAccepted = 0
    /// CONNECTs refused so far.
    public var connectionsRefused = 0
    /// Sessions now, connected or not.
    public var sessions = 0
    /// Subscriptions now.
    public var subscriptions = 0
    /// Retained messages now.
    public var retainedMessages = 0
    /// PUBLISH packets from clients.
    public var messagesReceived = 0
    /// Messages handed to sessions, one for each receiver.
    public var messagesSent = 0
    /// Messages that a receiver did not get: its queue was full, or the message too large for it.
    public var messagesDropped = 0
    /// Bytes of MQTT read.
    public var bytesReceived = 0
    /// Bytes of MQTT written.
    public var bytesSent = 0
    /// Times that a publisher was held back for a slow subscriber.
    public var publishersHeld = 0
    /// Times that a subscriber took nothing for so long that its limits applied.
    public var subscribersStalled = 0
    /// Connections closed for a violation of the protocol.
    public var violations = 0
}
