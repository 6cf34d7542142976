import MQTTX
import Testing

@Suite(.timeLimit(.minutes(1))) struct EventTests {
    private struct Reading: Codable, Equatable, Sendable { let value: Double }

    /// Events that a handler got.
    private func collect(_ events: EventChannelManager, _ pattern: String) async throws
        -> AsyncStream<(String, Event)>.Iterator
    {
        let (stream, continuation) = AsyncStream.makeStream(of: (String, Event).self)
        try await events.subscribe(pattern) { topic, event in continuation.yield((topic, event)) }
        return stream.makeAsyncIterator()
    }

    @Test("Patterns that look the same are two where their bytes differ (MQTT-4.7.3-4)")
    func sameLooks() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let (composed, decomposed) = ("\(topic)/\u{E9}", "\(topic)/e\u{301}")
            let events = EventChannelManager(try await broker.connect())
            try await events.subscribe(composed) { _, _ in }
            var received = try await collect(events, decomposed)
            try await events.unsubscribe(composed)
            try await events.publish(decomposed, ["here": true], qos: .atLeastOnce)
            #expect(await received.next()?.0.utf8.elementsEqual(decomposed.utf8) == true)
        }
    }

    @Test("Structured, raw and wrapped events reach handlers in every form", arguments: MessageForm.allCases)
    func forms(form: MessageForm) async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            var received = try await collect(EventChannelManager(try await broker.connect()), "\(topic)/+")
            let events = EventChannelManager(try await broker.connect(), form: form)
            let sent = EventMessage(eventType: "t.changed", data: ["value": 25.5], source: "s1", timestamp: 12.5)
            try await events.publish("\(topic)/a", sent, qos: .atLeastOnce)
            try await events.publish("\(topic)/a", ["raw": true, "n": 1], qos: .atLeastOnce)
            try await events.publish("\(topic)/a", "text", qos: .atLeastOnce)
            try await events.publish("\(topic)/a", Reading(value: 3), qos: .atLeastOnce)
            let (at, structured) = try #require(await received.next())
            #expect(at == "\(topic)/a")
            #expect(structured.event == sent)
            #expect(structured.eventType == "t.changed")
            #expect(
                structured.message == [
                    "type": "event", "event_type": "t.changed", "data": ["value": 25.5], "timestamp": 12.5,
                    "source": "s1",
                ])
            #expect(try structured.decode(as: Reading.self) == Reading(value: 25.5))
            let raw = try #require(await received.next()?.1)
            #expect(raw.event == nil)
            #expect(raw.message == ["raw": true, "n": 1])
            #expect(await received.next()?.1.message == ["data": "text"])
            #expect(try await received.next()?.1.decode(as: Reading.self) == Reading(value: 3))
        }
    }

    @Test("Wildcards lead to several handlers, and typed ones get what fits")
    func handlers() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let events = EventChannelManager(try await broker.connect())
            var all = try await collect(events, "\(topic)/#")
            let (stream, continuation) = AsyncStream.makeStream(of: Reading.self)
            try await events.subscribe("\(topic)/+/temperature", as: Reading.self) { _, reading in
                continuation.yield(reading)
            }
            try await events.publish("\(topic)/room1/temperature", "no reading", qos: .atLeastOnce)
            try await events.publish(
                "\(topic)/room1/temperature", EventMessage(eventType: "t", data: ["value": 1]), qos: .atLeastOnce)
            #expect(await all.next()?.1.message == ["data": "no reading"])
            #expect(await all.next()?.1.data["value"] == 1)
            var readings = stream.makeAsyncIterator()
            #expect(await readings.next() == Reading(value: 1))
            #expect(await events.client.statistics.messagesIgnored == 1)
        }
    }

    @Test("What is no event is dropped and counted, in handlers and streams")
    func garbage() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let client = try await broker.connect()
            let events = EventChannelManager(client)
            let publisher = try await broker.connect()
            var received = try await collect(events, topic)
            try await publisher.publish(topic, "not JSON", qos: .atLeastOnce)
            try await EventChannelManager(publisher).publish(topic, ["n": 1], qos: .atLeastOnce)
            #expect(await received.next()?.1.message == ["n": 1])
            #expect(await client.statistics.messagesIgnored == 1)
        }
    }

    @Test("Events come as a stream, which ends its subscription when it is left")
    func stream() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let client = try await broker.connect()
            let events = EventChannelManager(client)
            let publisher = EventChannelManager(try await broker.connect())
            // Kept by the broker, so that it is there whenever the stream subscribes.
            for n in 1...3 {
                try await publisher.publish("\(topic)/\(n)", ["n": .int(Int64(n))], qos: .atLeastOnce, retain: true)
            }
            var seen: Set<Int> = []
            for try await (topic, event) in events.stream("\(topic)/#") {
                #expect(topic.hasSuffix("/\(event.message["n"].intValue ?? 0)"))
                #expect(event.isRetained)
                seen.insert(event.message["n"].intValue ?? 0)
                if seen.count == 3 { break }
            }
            #expect(seen == [1, 2, 3])
            for n in 1...3 { try await publisher.client.publish("\(topic)/\(n)", "", qos: .atLeastOnce, retain: true) }
        }
    }

    @Test("Handlers are unsubscribed one by one or by pattern, and others of the client stay")
    func unsubscribe() async throws {
        try await TestBroker.run { broker in
            let topic = TestBroker.topic()
            let client = try await broker.connect()
            let events = EventChannelManager(client)
            let (first, second) = (Counter(), Counter())
            let one = try await events.subscribe(topic) { _, _ in first.increment() }
            try await events.subscribe(topic) { _, _ in second.increment() }
            // Of the same client: its handler runs after the two.
            let probe = try await Probe(client, topic)
            func publish() async throws {
                try await events.publish(topic, ["n": 1], qos: .atLeastOnce)
                _ = try await probe.next()
            }
            try await publish()
            try await events.unsubscribe(one)
            try await publish()
            try await events.unsubscribe(topic)
            try await publish()
            #expect(first.count == 1)
            #expect(second.count == 2)
        }
    }
}
