public import MQTTCore

/// Where a client stands.
public enum ConnectionState: Sendable {
    /// Not connected, and nobody is trying: before the first connection, and after the end.
    case disconnected(MQTTXError?)
    /// Trying; the attempt's number counts from 1.
    case connecting(attempt: Int)
    /// The broker has said so.
    case connected(ServerCapabilities)
    /// The connection is lost; the next attempt comes after the delay.
    case waiting(delay: Duration, cause: MQTTXError?)

    /// True only when the broker has said so.
    public var isConnected: Bool {
        if case .connected = self { true } else { false }
    }
}
