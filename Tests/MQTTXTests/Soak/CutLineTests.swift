import Foundation
import MQTTX
import MQTTXBroker
import MQTTXTesting
import Synchronization
import TestSupport
import Testing

/// Publishers and subscribers on a line that is cut again and again, wherever a packet happens to be.
///
/// `MQTTXX_SOAK=SECONDS` runs it for longer, `MQTTXX_SEED` with the same random numbers.
@Suite(.timeLimit(.minutes(10))) struct CutLineTests {
    private static let duration = Duration.seconds(
        ProcessInfo.processInfo.environment["MQTTXX_SOAK"].flatMap { Double($0) } ?? 1)

    @Test("What was acknowledged arrives over lines that are cut: QoS 1 at least once, QoS 2 once [MQTT-4.4.0-1]")
    func cutLines() async throws {
        let random = SharedRandom("cutLines")
        let broker = try await MQTTXTesting.TestBroker.start {
            // No legitimate loss: whoever is away gets all that was published meanwhile.
            $0.maximumQueuedMessages = 1_000_000
            // What is sent again fits in what a connection lets through: else none would ever get further.
            $0.maximumInflight = 20
        }
        let proxy = try await broker.proxy()
        var clients: [MQTTClient] = []
        var results: [Tally] = []
        for (index, version) in [ProtocolVersion.v5, .v3_1_1, .v5].enumerated() {
            let tally = Tally()
            let client = try await connect("sub\(index)", version, proxy)
            try await client.subscribe("cut/#", qos: .exactlyOnce) { (message: MQTTMessage) in
                tally.count(message.string.map { String($0.prefix { $0 != " " }) } ?? "")
            }
            clients.append(client)
            results.append(tally)
        }
        var publishers: [MQTTClient] = []
        for (index, version) in [ProtocolVersion.v5, .v3_1_1].enumerated() {
            publishers.append(try await connect("pub\(index)", version, proxy))
        }
        clients += publishers
        try await proxy.cutEach { random.next(in: 0..<30_000) }
        try await proxy.cut()
        let acknowledged = try await withThrowingTaskGroup(of: [String].self) { group in
            for (index, publisher) in publishers.enumerated() {
                group.addTask { try await publish(as: index, publisher, random) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        try await proxy.cutEach(after: nil)
        for tally in results { await tally.wait(for: acknowledged) }
        // QoS 2 would come again before this does, on the same topic and session.
        for publisher in publishers { try await publisher.publish("cut/0", "end", qos: .exactlyOnce) }
        for tally in results {
            await tally.wait(for: ["end", "end"])
            let repeated = tally.counts.filter { $0.key.hasSuffix("q2") && $0.value != 1 }
            #expect(repeated.isEmpty, "\(random.seed): more than once: \(repeated)")
        }
        print("\(acknowledged.count) acknowledged, \(broker.statistics.connectionsAccepted) connections")
        #expect(broker.statistics.messagesDropped == 0)
        #expect(broker.statistics.connectionsAccepted > clients.count)
        for client in clients { await client.disconnect() }
        try await proxy.stop()
        try await broker.stop()
    }

    private func connect(_ id: String, _ version: ProtocolVersion, _ proxy: FaultProxy) async throws -> MQTTClient {
        var config = MQTTConfig(brokerHost: "127.0.0.1", brokerPort: proxy.port, clientID: id, version: version)
        config.reconnect.interval = .milliseconds(5)
        config.reconnect.maxInterval = .milliseconds(50)
        let client = MQTTClient(config)
        try await client.connect()
        return client
    }

    /// - Returns: the names of the messages that the broker has acknowledged.
    private func publish(as index: Int, _ client: MQTTClient, _ random: SharedRandom) async throws -> [String] {
        let end = ContinuousClock.now + Self.duration
        var receipts: [(String, PublishReceipt)] = []
        var number = 0
        while ContinuousClock.now < end {
            number += 1
            let qos = random.next(in: 0..<2) == 0 ? QoS.atLeastOnce : .exactlyOnce
            let name = "\(index)-\(number)-q\(qos.rawValue)"
            let padding = String(repeating: "x", count: random.next(in: 0..<300))
            receipts.append(
                (name, try await client.enqueue("cut/\(random.next(in: 0..<5))", "\(name) \(padding)", qos: qos)))
            if receipts.count > 50 { _ = try await receipts[receipts.count - 50].1.outcome }
        }
        var acknowledged: [String] = []
        for (name, receipt) in receipts {
            if case .delivered = try await receipt.outcome { acknowledged.append(name) }
        }
        #expect(acknowledged.count == receipts.count)
        return acknowledged
    }
}

/// How often each message came.
private final class Tally: Sendable {
    private struct State {
        var counts: [String: Int] = [:]
        var missing: [String: Int] = [:]
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    var counts: [String: Int] { state.withLock { $0.counts } }

    func count(_ name: String) {
        let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
            state.counts[name, default: 0] += 1
            guard let missing = state.missing[name] else { return nil }
            state.missing[name] = missing > 1 ? missing - 1 : nil
            return state.missing.isEmpty ? state.waiter.take() : nil
        }
        waiter?.resume()
    }

    /// Waits until all have come, each as often as it is named.
    func wait(for names: [String]) async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                for name in names { state.missing[name, default: 0] += 1 }
                for (name, count) in state.missing {
                    let left = count - (state.counts[name] ?? 0)
                    state.missing[name] = left > 0 ? left : nil
                }
                if !state.missing.isEmpty { state.waiter = continuation }
                return state.missing.isEmpty
            }
            if isDone { continuation.resume() }
        }
    }
}

/// Random numbers for several tasks, from a seed that is printed.
private final class SharedRandom: Sendable {
    let seed: UInt64
    private let generator: Mutex<SeededGenerator>

    init(_ test: String) {
        let generator = SeededGenerator.announced(test)
        seed = generator.seed
        self.generator = Mutex(generator)
    }

    func next(in range: Range<Int>) -> Int { generator.withLock { Int.random(in: range, using: &$0) } }
}
