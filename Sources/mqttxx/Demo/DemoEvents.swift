import MQTTX

/// Events reach every handler whose pattern matches.
struct DemoEvents: Sendable {
    private let publisher: EventChannelManager
    private let listener: EventChannelManager
    private let prefix: String

    init(edge: MQTTClient, cloud: MQTTClient, prefix: String) {
        publisher = EventChannelManager(edge)
        listener = EventChannelManager(cloud)
        self.prefix = prefix
    }

    func show() async throws {
        let (heard, continuation) = AsyncStream.makeStream(of: String.self)
        try await listen("sensors/+/temperature", continuation)
        try await listen("sensors/#", continuation)
        try await publish("sensors/room1/temperature", "temperature.changed", ["value": 25.5, "unit": "C"])
        try await publish("sensors/room1/humidity", "humidity.changed", ["value": 60.2, "unit": "%"])
        try await expect(
            [
                "sensors/+/temperature hears temperature.changed", "sensors/# hears temperature.changed",
                "sensors/# hears humidity.changed",
            ], heard)
    }

    private func listen(_ pattern: String, _ heard: AsyncStream<String>.Continuation) async throws {
        try await listener.subscribe(prefix + "/" + pattern) { _, event in
            try Demo.say("config-service", "hears \(event.eventType) by \(pattern): \(event.data)")
            heard.yield("\(pattern) hears \(event.eventType)")
        }
        try Demo.say("config-service", "listens to \(pattern)")
    }

    private func publish(_ topic: String, _ type: String, _ data: JSONValue) async throws {
        try Demo.say("device_123", "publishes \(type) on \(topic)")
        try await publisher.publish(
            prefix + "/" + topic, EventMessage(eventType: type, data: data, source: "sensor_001"), qos: .atLeastOnce)
    }

    private func expect(_ expected: Set<String>, _ heard: AsyncStream<String>) async throws {
        let missing = try await endingAfter(5) {
            var missing = expected
            for await event in heard {
                // On MQTT 3.1.1 a broker may send a copy for each pattern, and copies can't be told apart.
                guard expected.contains(event) else {
                    throw DemoFailure(message: "did not expect that \(event)")
                }
                missing.remove(event)
                if missing.isEmpty { break }
            }
            return missing
        }
        try Demo.check(missing.isEmpty, "that \(missing.sorted().joined(separator: ", "))")
    }
}
