import MQTTX

/// Events go to everybody who listens; nobody answers.
enum Events: Example {
    static let name = "events"
    static let summary = "structured and raw events, wildcards, several listeners, and a stream"

    struct Reading: Codable {
        let value: Double
        let unit: String
    }

    static func run(_ broker: BrokerAddress) async throws {
        let config = MQTTConfig(brokerHost: broker.host, brokerPort: broker.port, clientID: "house")
        try await MQTTClient.withConnection(config) { client in
            let events = EventChannelManager(client)
            let (heard, tell) = AsyncStream.makeStream(of: String.self)

            // A handler by wildcard, with the data as a type of ours.
            try await events.subscribe("sensors/+/temperature", as: Reading.self) { topic, reading in
                print("temperature at \(topic): \(reading.value) \(reading.unit)")
                tell.yield("typed")
            }
            // A second one for the same messages and others, with all that there is to know.
            let everything = try await events.subscribe("sensors/#") { topic, event in
                print("\(event.event == nil ? "raw" : event.eventType) on \(topic): \(event.data)")
                tell.yield("all")
            }

            try await events.publish(
                "sensors/room1/temperature",
                EventMessage(
                    eventType: "temperature.changed", data: ["value": 25.5, "unit": "C"], source: "sensor_001"),
                qos: .atLeastOnce)
            try await events.publish("sensors/room1/humidity", ["value": 60.2, "unit": "%"], qos: .atLeastOnce)
            try await events.publish(
                "sensors/room2/temperature", Reading(value: 19, unit: "C"), qos: .atLeastOnce)

            // The same as a stream; the event is retained, so that it comes however late we look.
            try await events.publish("alerts/fire", "Fire in room 3!", qos: .atLeastOnce, retain: true)
            for try await (topic, event) in events.stream("alerts/+") {
                print("\(topic): \(event.data["data"])")
                break
            }
            // Handlers run on their own: wait for what they tell.
            var told: [String] = []
            for await what in heard {
                told.append(what)
                if told.count == 5 { break }
            }
            try expect(told.count { $0 == "all" } == 3, "three events on sensors/#")
            try expect(told.count { $0 == "typed" } == 2, "two events on sensors/+/temperature")
            try await events.unsubscribe(everything)
            try await events.publish("alerts/fire", "", retain: true)
        }
    }
}
