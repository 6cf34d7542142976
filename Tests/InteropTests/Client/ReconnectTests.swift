import MQTTX
import TestSupport
import Testing

@Suite("Nothing is lost when the broker goes and comes back", .enabled(if: Checkout.runsPeers), .timeLimit(.minutes(2)))
struct ReconnectTests {
    private func config(_ mosquitto: Mosquitto, id: String, _ version: ProtocolVersion) -> MQTTConfig {
        MQTTConfig(
            brokerHost: "127.0.0.1", brokerPort: mosquitto.port(), clientID: id, version: version,
            reconnect: ReconnectConfig(interval: .milliseconds(50), maxInterval: .milliseconds(200)))
    }

    @Test(
        "Subscriptions are restored and queued messages arrive after mosquitto was killed",
        arguments: [ProtocolVersion.v3_1_1, .v5])
    func killed(_ version: ProtocolVersion) async throws {
        try await Mosquitto.run { mosquitto in
            let client = MQTTClient(config(mosquitto, id: "survivor", version))
            try await client.connect()
            let inbox = try await client.inbox("numbers/+")
            try await client.publish("numbers/a", "before", qos: .atLeastOnce)
            #expect(await inbox.next()?.string == "before")

            await mosquitto.kill()
            await client.reaches { !$0.isConnected }
            var receipts: [PublishReceipt] = []
            for number in 0..<200 {
                receipts.append(try await client.enqueue("numbers/a", "\(number)", qos: .atLeastOnce))
            }
            try await mosquitto.start()
            for receipt in receipts { try await receipt.outcome.get() }

            // At least once: what was in flight may come twice, but in order and without a gap.
            let received = await inbox.next(200).compactMap { $0.string.flatMap { Int($0) } }
            #expect(received == Array(0..<200))
            #expect(client.isConnected)
            #expect(await client.statistics.connections == 2)
            await client.disconnect()
        }
    }

    @Test("Messages under way when mosquitto is killed all arrive")
    func killedUnderLoad() async throws {
        try await Mosquitto.run { mosquitto in
            let listener = MQTTClient(config(mosquitto, id: "listener", .v5))
            let sender = MQTTClient(config(mosquitto, id: "sender", .v5))
            try await listener.connect()
            try await sender.connect()
            let inbox = try await listener.inbox("load/#")

            // The listener's session does not survive the kill, so it hears only what is acknowledged after its return;
            // what the sender is told is what counts here.
            let outcomes = try await withThrowingTaskGroup(of: Int.self) { group in
                for lane in 0..<8 {
                    group.addTask {
                        for number in 0..<100 {
                            try await sender.publish("load/\(lane)", "\(number)", qos: .atLeastOnce)
                        }
                        return 100
                    }
                }
                _ = await inbox.next(50)
                await mosquitto.kill()
                await sender.reaches { !$0.isConnected }
                try await mosquitto.start()
                return try await group.reduce(0, +)
            }
            #expect(outcomes == 800)
            await listener.reaches(\.isConnected)
            try await sender.publish("load/last", "last", qos: .atLeastOnce)
            while let message = await inbox.next(), message.topic != "load/last" {}
            await sender.disconnect()
            await listener.disconnect()
        }
    }

    @Test(
        "A session that the broker kept brings what came while the client was away",
        arguments: [ProtocolVersion.v3_1_1, .v5])
    func persistentSession(_ version: ProtocolVersion) async throws {
        try await Mosquitto.run { mosquitto in
            let away = MQTTClient(config(mosquitto, id: "away", version))
            try await away.connect()
            #expect(away.server?.sessionPresent == false)
            try await away.subscribe("kept", qos: .exactlyOnce) { (_: MQTTMessage) in }
            await away.disconnect()

            try await MQTTClient.withConnection(config(mosquitto, id: "other", version)) { other in
                for qos in [QoS.atLeastOnce, .exactlyOnce] {
                    try await other.publish("kept", "\(qos.rawValue)", qos: qos)
                }
            }
            // The session outlives the broker's process as well.
            try await mosquitto.terminate()
            try await mosquitto.start()

            let back = MQTTClient(config(mosquitto, id: "away", version))
            let inbox = try await back.inbox("kept", qos: .exactlyOnce)
            try await back.connect()
            #expect(back.server?.sessionPresent == true)
            #expect(await inbox.next(2).map(\.string) == ["1", "2"])
            await back.disconnect()
        }
    }
}
