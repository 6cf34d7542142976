import MQTTX
import TestSupport
import Testing

@Suite("Events between Swift and Python", .enabled(if: Checkout.runsPeers), .timeLimit(.minutes(3)))
struct PythonEventTests {
    @Test("Python hears what Swift emits, by wildcard, structured and raw", arguments: Meeting.all)
    func swiftEmits(_ meeting: Meeting) async throws {
        try await meeting.run { client, python in
            try await python.subscribe("sensors/+/temperature")
            let events = EventChannelManager(client)
            try await events.publish(
                "sensors/room 1/temperature",
                EventMessage(eventType: "temperature.changed", data: ["grüße": 25.5], source: "ß", timestamp: 1.25),
                qos: .atLeastOnce)
            try await events.publish("sensors/1/humidity", ["not": "for you"], qos: .atLeastOnce)
            try await events.publish("sensors/1/temperature", ["value": 60.2, "unit": "°C"], qos: .atLeastOnce)
            try await events.publish("sensors/2/temperature", "Fire in 漢字", qos: .atLeastOnce)

            var heard: [String: JSONValue] = [:]
            var iterator = python.heard.makeAsyncIterator()
            while heard.count < 3, let event = await iterator.next() {
                #expect(event.pattern == "sensors/+/temperature")
                heard[event.topic] = event.message
            }
            let structured = try #require(heard["sensors/room 1/temperature"])
            #expect(structured["event_type"] == "temperature.changed")
            #expect(structured["data"] == ["grüße": 25.5])
            #expect(structured["source"] == "ß")
            #expect(structured["timestamp"].doubleValue == 1.25)
            #expect(heard["sensors/1/temperature"] == ["value": 60.2, "unit": "°C"])
            #expect(heard["sensors/2/temperature"] == ["data": "Fire in 漢字"])
        }
    }

    @Test("Swift hears what Python emits, by wildcard, structured and raw", arguments: Meeting.all)
    func pythonEmits(_ meeting: Meeting) async throws {
        try await meeting.run { client, python in
            let events = EventChannelManager(client)
            let all = Inbox<Event>()
            let some = Inbox<Event>()
            try await events.subscribe("sensors/#") { _, event in all.put(event) }
            try await events.subscribe("sensors/+/temperature") { _, event in some.put(event) }

            try await python.emit(
                "sensors/1/temperature", type: "changed", data: ["grüße": [1, nil]], source: "Fühler")
            try await python.emit("sensors/1/humidity", raw: ["value": 60.2])
            try await python.emit("sensors/2/temperature", raw: ["value": 1])

            var byTopic: [String: Event] = [:]
            for event in await all.next(3) { byTopic[event.topic] = event }
            #expect(byTopic.count == 3)
            let structured = try #require(byTopic["sensors/1/temperature"]?.event)
            #expect(structured.eventType == "changed")
            #expect(structured.data == ["grüße": [1, nil]])
            #expect(structured.source == "Fühler")
            #expect(structured.timestamp > 1_700_000_000)
            #expect(byTopic["sensors/1/humidity"]?.eventType == "")
            #expect(byTopic["sensors/1/humidity"]?.data["value"] == 60.2)
            #expect(Set(await some.next(2).map(\.topic)) == ["sensors/1/temperature", "sensors/2/temperature"])
        }
    }

    @Test("RPC and events share a client in both directions", arguments: Meeting.all)
    func together(_ meeting: Meeting) async throws {
        try await meeting.run { client, python in
            try await python.subscribe("news/#")
            let events = EventChannelManager(client)
            let inbox = Inbox<JSONValue>()
            try await events.subscribe("news/#") { _, event in inbox.put(event.data) }
            let rpc = try await ConventionalRPCManager(client, myTopic: "swift/mixed") { rpc in
                rpc.register("announce") { (params: JSONValue) in
                    try await events.publish("news/swift", params, qos: .atLeastOnce)
                }
            }
            _ = try await python.call("swift/mixed", "announce", ["headline": "both"])
            #expect(await inbox.next() == ["headline": "both"])
            #expect(await python.heard.first { _ in true }?.message == ["headline": "both"])
            #expect(try await rpc.call(python.topic, "add", params: ["a": 1, "b": 1]) == ["sum": 2])
            await rpc.close()
        }
    }
}
