import MQTTCore
import TestSupport
import Testing

@Suite("Messages that we send (section 4.3)", .timeLimit(.minutes(2)))
struct OutgoingFlightTests {
    private final class Request: Sendable {}

    fileprivate final class Message: Sendable {
        let text: String
        let qos: QoS

        init(_ text: String, _ qos: QoS) {
            self.text = text
            self.qos = qos
        }
    }

    private func message(_ text: String, _ qos: QoS = .atLeastOnce) -> Message { Message(text, qos) }

    private func add(_ flight: inout OutgoingFlight, _ message: Message) throws -> UInt16 {
        let id = flight.add(message)
        return try #require(id)
    }

    private func addRequest(_ flight: inout OutgoingFlight) throws -> UInt16 {
        let id = flight.addRequest(Request())
        return try #require(id)
    }

    /// What goes out again on a resumed session, in words.
    private func resends(_ flight: inout OutgoingFlight) -> [String] {
        var sent: [String] = []
        while let packet = flight.nextToResend() {
            switch packet {
            case .publish(let id, let message): sent.append("PUBLISH \(id) \(text(of: message))")
            case .pubrel(let id): sent.append("PUBREL \(id)")
            }
        }
        return sent
    }

    @Test("QoS 1: PUBLISH, PUBACK, done [MQTT-4.3.2-3, MQTT311-4.3.2-1]")
    func atLeastOnce() throws {
        var flight = OutgoingFlight()
        let id = try add(&flight, message("a"))
        #expect(flight.count == 1)
        #expect(flight.puback(id).name == "completed a")
        #expect(flight.count == 0)
        #expect(flight.puback(id).name == "unknown")
    }

    @Test(
        """
        QoS 2: PUBLISH, PUBREC, PUBREL, PUBCOMP, done; a PUBREC that comes again is answered again \
        [MQTT-4.1.0-1, MQTT-4.3.3-4, MQTT311-4.1.0-2, MQTT311-4.3.3-1]
        """
    )
    func exactlyOnce() throws {
        var flight = OutgoingFlight()
        let id = try add(&flight, message("a", .exactlyOnce))
        #expect(flight.pubcomp(id).name == "unknown")
        #expect(flight.pubrec(id, reasonCode: .success).name == "release a")
        #expect(flight.pubrec(id, reasonCode: .noMatchingSubscribers).name == "release a")
        #expect(flight.count == 1)
        #expect(flight.pubcomp(id).name == "completed a")
        #expect(flight.pubrec(id, reasonCode: .success).name == "unknown")
        #expect(flight.count == 0)
    }

    @Test("A PUBREC of 0x80 and above ends the message: no PUBREL, nothing sent again [MQTT-4.4.0-2]")
    func refused() throws {
        var flight = OutgoingFlight()
        let id = try add(&flight, message("a", .exactlyOnce))
        #expect(flight.pubrec(id, reasonCode: .quotaExceeded).name == "completed a")
        #expect(flight.pubcomp(id).name == "unknown")
        #expect(flight.connectionResumed(receiveMaximum: 10).isEmpty)
        #expect(resends(&flight) == [])
    }

    @Test("An acknowledgement of another kind, or of an identifier that is not in use, changes nothing")
    func strayAcknowledgements() throws {
        var flight = OutgoingFlight()
        let one = try add(&flight, message("1"))
        let two = try add(&flight, message("2", .exactlyOnce))
        #expect(flight.puback(two).name == "unknown")
        #expect(flight.pubrec(one, reasonCode: .success).name == "unknown")
        #expect(flight.pubcomp(one).name == "unknown")
        #expect(flight.answer(one).name == "unknown")
        for id: UInt16 in [0, 99, .max] {
            #expect(flight.puback(id).name == "unknown")
            #expect(flight.pubrec(id, reasonCode: .success).name == "unknown")
            flight.withdraw(id)
        }
        #expect(flight.count == 2)
    }

    @Test(
        """
        Identifiers are never 0 and never in use already, whichever order messages end in [MQTT-2.2.1-3, \
        MQTT-4.3.2-1, MQTT-4.3.3-1, MQTT311-2.3.1-1, -2, -3]
        """
    )
    func identifiers() throws {
        var random = SeededGenerator.announced("identifiers in flight")
        var flight = OutgoingFlight()
        var used: Set<UInt16> = []
        for _ in 0..<5_000 {
            if random.bool() || used.isEmpty {
                let id = try #require(
                    random.bool() ? flight.add(message("x")) : flight.addRequest(Request()))
                #expect(id != 0 && used.insert(id).inserted)
            } else if let id = used.randomElement(using: &random) {
                used.remove(id)
                if flight.puback(id).name == "unknown" { #expect(flight.answer(id).name.hasPrefix("completed")) }
            }
        }
    }

    @Test("An identifier rests before it is used again, so that a late acknowledgement meets no new message")
    func rest() throws {
        var flight = OutgoingFlight()
        let id = try add(&flight, message("a"))
        _ = flight.puback(id)
        for _ in 0..<16 { #expect(flight.add(message("b")) != id) }
    }

    @Test("SUBSCRIBE finds an identifier when PUBLISH has taken all it may; beyond 65,535 there is none")
    func exhaustion() throws {
        var flight = OutgoingFlight()
        var count = 0
        while flight.add(message("")) != nil { count += 1 }
        #expect(count == 65_535 - 64)
        for _ in 0..<64 { #expect(flight.addRequest(Request()) != nil) }
        #expect(flight.addRequest(Request()) == nil)
        #expect(flight.takeRequests().count == 64)
        #expect(flight.addRequest(Request()) != nil)
    }

    @Test(
        """
        The window is the peer's Receive Maximum: PUBACK, PUBCOMP and a refusing PUBREC make room, PUBREC \
        does not [MQTT-3.3.4-7, MQTT-4.9.0-1, -2]
        """
    )
    func window() throws {
        var flight = OutgoingFlight(receiveMaximum: 2)
        let one = try add(&flight, message("1", .exactlyOnce))
        let two = try add(&flight, message("2", .exactlyOnce))
        #expect(!flight.hasRoom && flight.add(message("3")) == nil)
        // Requests don't count.
        let request = try addRequest(&flight)
        #expect(flight.answer(request).name == "completed ")
        _ = flight.pubrec(one, reasonCode: .success)
        #expect(!flight.hasRoom)
        _ = flight.pubcomp(one)
        let three = try add(&flight, message("3"))
        #expect(!flight.hasRoom)
        _ = flight.pubrec(two, reasonCode: .unspecifiedError)
        #expect(flight.hasRoom)
        _ = flight.puback(three)
        #expect(flight.hasRoom && flight.count == 0)
    }

    @Test(
        """
        A resumed session sends again what is unacknowledged: oldest first, same identifiers, PUBREL \
        after PUBREC [MQTT-4.3.3-3, -5, -6, MQTT-4.4.0-1, MQTT-4.6.0-1, MQTT311-2.3.1-3, \
        MQTT311-4.3.3-1, MQTT311-4.4.0-1, MQTT311-4.6.0-1]
        """
    )
    func resume() throws {
        var flight = OutgoingFlight()
        // So that identifiers and the order of sending differ.
        for _ in 0..<20 {
            let id = try add(&flight, message("gone"))
            _ = flight.puback(id)
        }
        let a = try add(&flight, message("a"))
        let b = try add(&flight, message("b", .exactlyOnce))
        let c = try add(&flight, message("c", .exactlyOnce))
        let d = try add(&flight, message("d"))
        #expect(flight.pubrec(b, reasonCode: .success).name == "release b")
        #expect(flight.puback(d).name == "completed d")
        // Without a new connection nothing is sent again.
        #expect(resends(&flight) == [])
        _ = flight.connectionResumed(receiveMaximum: 100)
        #expect(flight.add(message("new")) == nil, "what is new waits behind")
        #expect(resends(&flight) == ["PUBLISH \(a) a", "PUBREL \(b)", "PUBLISH \(c) c"])
        #expect(flight.add(message("new")) != nil)
        // And once more, for the PUBLISH of b does not come back.
        _ = flight.connectionResumed(receiveMaximum: 100)
        #expect(resends(&flight).prefix(3) == ["PUBLISH \(a) a", "PUBREL \(b)", "PUBLISH \(c) c"])
    }

    @Test("Sending again keeps within a Receive Maximum that has become smaller")
    func resumeWithinWindow() throws {
        var flight = OutgoingFlight()
        let ids = ["a", "b", "c"].map { flight.add(message($0)) ?? 0 }
        _ = flight.connectionResumed(receiveMaximum: 1)
        #expect(resends(&flight) == ["PUBLISH \(ids[0]) a"])
        #expect(flight.hasResends && !flight.hasRoom)
        // Acknowledged before its turn has come.
        _ = flight.puback(ids[1])
        _ = flight.puback(ids[0])
        #expect(resends(&flight) == ["PUBLISH \(ids[2]) c"])
        _ = flight.puback(ids[2])
        #expect(flight.hasRoom && flight.count == 0)
    }

    @Test("Requests end with their connection; a lost session hands everything back, in order")
    func endings() throws {
        var flight = OutgoingFlight()
        let token = Request()
        _ = flight.add(message("a"))
        _ = flight.addRequest(token)
        let requests = flight.connectionResumed(receiveMaximum: 10)
        #expect(requests.count == 1 && requests.first?.item === token)
        _ = resends(&flight)
        _ = flight.add(message("b"))
        _ = flight.addRequest(token)
        let entries = flight.removeAll()
        #expect(entries.map(\.stage) == [.awaitingPuback, .awaitingPuback, .awaitingAnswer])
        #expect(entries.map { text(of: $0.item) } == ["a", "b", ""])
        #expect(flight.count == 0 && flight.hasRoom)
    }

    @Test("A message given up on keeps its identifier at QoS 2 until the session ends, for the peer may know it")
    func abandon() throws {
        var flight = OutgoingFlight()
        let one = try add(&flight, message("1"))
        let two = try add(&flight, message("2", .exactlyOnce))
        _ = flight.connectionResumed(receiveMaximum: 10)
        for id in [one, two] { flight.abandon(id) }
        #expect(flight.count == 0)
        #expect(resends(&flight) == [])
        for _ in 0..<100 { #expect(flight.add(message("x")) != two) }
        #expect(flight.pubrec(two, reasonCode: .success).name == "unknown")
        _ = flight.removeAll()
        #expect(flight.count == 0)
    }

    @Test("What was sent between two looks is found while it is in flight, whatever went before and after")
    func sentBetween() throws {
        var flight = OutgoingFlight()
        _ = try add(&flight, message("before"))
        let from = flight.lastSent
        let done = try add(&flight, message("done"))
        _ = try add(&flight, message("a"))
        _ = try add(&flight, message("b", .exactlyOnce))
        let to = flight.lastSent
        _ = try add(&flight, message("after"))
        _ = flight.puback(done)
        #expect(flight.items(sent: from + 1..<to + 1).map(text).sorted() == ["a", "b"])
        #expect(flight.items(sent: to..<to).isEmpty)
    }

    @Test("An identifier whose packet could not be sent is given back")
    func withdraw() throws {
        var flight = OutgoingFlight(receiveMaximum: 1)
        let id = try add(&flight, message("too large"))
        flight.withdraw(id)
        flight.withdraw(id)
        #expect(flight.hasRoom && flight.count == 0)
    }
}

extension OutgoingFlight {
    fileprivate mutating func add(_ message: OutgoingFlightTests.Message) -> UInt16? { add(message, qos: message.qos) }
}

extension OutgoingFlight.Outcome {
    fileprivate var name: String {
        switch self {
        case .completed(let entry): "completed \(text(of: entry.item))"
        case .release(let item): "release \(text(of: item))"
        case .unknown: "unknown"
        }
    }
}

private func text(of item: OutgoingFlight.Item) -> String { (item as? OutgoingFlightTests.Message)?.text ?? "" }
