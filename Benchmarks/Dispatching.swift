import MQTTCore
import MQTTNetwork
import MQTTXClient
import NIOCore

/// From a decoded PUBLISH through its lane and a worker to an async handler, and back to the acknowledgement.
func dispatching() throws -> [Benchmark] {
    [
        try dispatching("qos0", .atMostOnce, topics: ["sensors/room1/temperature"]),
        try dispatching("qos1", .atLeastOnce, topics: ["sensors/room1/temperature"]),
        try dispatching("qos0-64-topics", .atMostOnce, topics: (0..<64).map { "sensors/room\($0)/temperature" }),
    ]
}

private func dispatching(_ name: String, _ qos: QoS, topics: [String]) throws -> Benchmark {
    // Few, since a worker takes fewer messages at once when they take long, as they do where instructions are counted.
    let batch = 8
    let path = try ReceivePath(filter: "sensors/+/temperature", qos: qos)
    let messages = (0..<batch).map { number in
        var message = publish(qos)
        message.topic = topics[number % topics.count]
        return message
    }
    return Benchmark("dispatch/\(name)", batch: batch) { try path.take(messages) }
}

/// A client's receive path without a network, its one worker on the thread that calls.
private final class ReceivePath {
    private let inbound: Inbound
    private let dispatch: DispatchQueue
    private let connection: PacketConnection
    private let executor = CallerExecutor()
    private let earned = Earned()

    init(filter: String, qos: QoS) throws {
        let config = MQTTConfig(brokerHost: "localhost")
        let registry = SubscriptionRegistry()
        let earned = earned
        let dispatch = DispatchQueue(
            bounds: QueueBounds(config), logger: config.logger, notify: { _ in }, completed: { earned.tickets += $0 },
            turnDone: { _ in })
        _ = try registry.add(
            TopicFilter(filter), terms: SubscriptionTerms(options: SubscriptionOptions(qos: qos)),
            action: .concurrent { message async in keep(message.payload.readableBytes) })
        inbound = Inbound(
            registry: registry, dispatch: dispatch, config: config, notify: { _ in },
            makeAcknowledger: { _ in preconditionFailure("nothing is acknowledged by hand here") })
        connection = PacketConnection(
            decoder: PacketDecoder(role: .client, version: .v5), receiver: NobodyReceiver())
        self.dispatch = dispatch
        // Nobody awaits or cancels it: it runs on this thread only, when `runAll` is called, and ends with the process.
        Task(executorPreference: executor) { await dispatch.work() }
        executor.runAll()
    }

    /// What happens with the packets of one read.
    func take(_ messages: [Publish]) throws {
        for message in messages { keep(inbound.receive(message, from: connection)) }
        keep(inbound.readCompleted { false })
        executor.runAll()
        for (ticket, reasonCode) in earned.tickets { inbound.incoming.complete(ticket, reasonCode: reasonCode) }
        earned.tickets.removeAll(keepingCapacity: true)
        while let ready = inbound.incoming.nextReady() { keep(ready) }
    }
}

/// The acknowledgements that handlers have earned.
private final class Earned: @unchecked Sendable {
    // Unchecked: a benchmark has one thread.
    var tickets: [(IncomingFlight.Ticket, ReasonCode)] = []
}

/// Stands behind the connection, from which nothing comes.
private final class NobodyReceiver: PacketReceiver {
    func connectionOpened(_ connection: PacketConnection) {}
    func received(_ packet: DecodedPacket, from connection: PacketConnection) {}
    func readCompleted(_ connection: PacketConnection) {}
    func violated(_ error: MQTTXError, on connection: PacketConnection) {}
    func writabilityChanged(_ isWritable: Bool, on connection: PacketConnection) {}
    func connectionClosed(_ error: (any Error)?, connection: PacketConnection) {}
}
