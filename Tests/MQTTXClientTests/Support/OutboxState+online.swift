import MQTTCore

@testable import MQTTXClient

extension OutboxState {
    /// Of a client that is connected and queues little.
    static func online() -> OutboxState {
        var state = OutboxState(
            limits: QueueLimits(
                maxMessages: 0, maxBytes: 1_000, policy: .fail, whileDisconnected: .queue,
                lostSessionQoS2: .outcomeUnknown))
        var completions = Completions()
        let server = ServerCapabilities(connack: ConnAck(), connect: Connect(version: .v5, clientID: "c"))
        state.connected(server, maximumAliases: 0, &completions)
        return state
    }
}
