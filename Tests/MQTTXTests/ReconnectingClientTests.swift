import MQTTX
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ReconnectingClientTests {
    @Test("A client that was disconnected with messages waiting handles those of its next connection")
    func connectAgain() async throws {
        try await TestBroker.run { broker in
            let (started, gate, topic) = (Gate(), Gate(), TestBroker.topic())
            let client = try await broker.connect { $0.numWorkers = 1 }
            let (stream, continuation) = AsyncStream.makeStream(of: String.self)
            let subscription = try await client.subscribe(topic) { (message: MQTTMessage) in
                started.open()
                await gate.wait()
                continuation.yield(message.string ?? "")
            }
            let publisher = try await broker.connect()
            for n in 0..<5 { try await publisher.publish(topic, "\(n)", qos: .atLeastOnce) }
            await started.wait()
            async let disconnected: Void = client.disconnect()
            for await state in client.states { if case .disconnected = state { break } }
            gate.open()
            await disconnected
            try await client.connect()
            // Asked for anew with the connection.
            try await subscription.granted()
            try await publisher.publish(topic, "last", qos: .atLeastOnce)
            for await text in stream where text == "last" { break }
        }
    }
}
