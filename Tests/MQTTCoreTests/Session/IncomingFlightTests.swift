import MQTTCore
import Testing

@Suite("Messages that we receive (section 4.3)", .timeLimit(.minutes(2)))
struct IncomingFlightTests {
    /// All acknowledgements whose turn has come, in words.
    private func ready(_ flight: inout IncomingFlight) -> [String] {
        var names: [String] = []
        while let next = flight.nextReady() {
            names.append("\(next.type) \(next.packetID)\(next.reasonCode == .success ? "" : " \(next.reasonCode)")")
        }
        return names
    }

    private func deliver(
        _ flight: inout IncomingFlight, _ id: UInt16, _ qos: QoS, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> IncomingFlight.Ticket {
        let verdict = flight.receive(packetID: id, qos: qos)
        return try #require(verdict.ticket, "\(verdict)", sourceLocation: sourceLocation)
    }

    @Test(
        """
        QoS 1: PUBLISH, handled, PUBACK; the same identifier then stands for a new message [MQTT-4.3.2-5, \
        MQTT311-4.3.2-2]
        """
    )
    func atLeastOnce() throws {
        var flight = IncomingFlight()
        let first = try deliver(&flight, 7, .atLeastOnce)
        #expect(ready(&flight) == [])
        flight.complete(first)
        #expect(ready(&flight) == ["PUBACK 7"])
        let second = try deliver(&flight, 7, .atLeastOnce)
        flight.complete(second, reasonCode: .quotaExceeded)
        flight.complete(second)
        #expect(ready(&flight) == ["PUBACK 7 quotaExceeded"])
        #expect(flight.owedCount == 0)
    }

    @Test(
        """
        QoS 2: PUBLISH, PUBREC, PUBREL, PUBCOMP; only then the identifier stands for a new message \
        [MQTT-4.1.0-1, MQTT-4.3.3-10, -12, MQTT311-4.1.0-2, MQTT311-4.3.3-2]
        """
    )
    func exactlyOnce() throws {
        var flight = IncomingFlight()
        let ticket = try deliver(&flight, 7, .exactlyOnce)
        // Again while it is being handled: one message, one PUBREC.
        #expect(flight.receive(packetID: 7, qos: .exactlyOnce).isDuplicate)
        flight.complete(ticket)
        #expect(ready(&flight) == ["PUBREC 7"])
        #expect(flight.receive(packetID: 7, qos: .exactlyOnce).isDuplicate)
        #expect(ready(&flight) == ["PUBREC 7"])
        #expect(flight.exactlyOnceCount == 1)
        #expect(flight.release(7) == .success)
        #expect(flight.exactlyOnceCount == 0)
        _ = try deliver(&flight, 7, .exactlyOnce)
    }

    @Test("After a PUBREC of 0x80 and above the identifier stands for a new message at once [MQTT-4.3.3-9]")
    func refused() throws {
        var flight = IncomingFlight(receiveMaximum: 1)
        flight.complete(try deliver(&flight, 7, .exactlyOnce), reasonCode: .notAuthorized)
        #expect(ready(&flight) == ["PUBREC 7 notAuthorized"])
        #expect(flight.release(7) == .packetIdentifierNotFound)
        _ = try deliver(&flight, 7, .exactlyOnce)
    }

    @Test("A PUBREL that nothing waits for is answered with 0x92, never fatal")
    func strayRelease() throws {
        var flight = IncomingFlight()
        #expect(flight.release(7) == .packetIdentifierNotFound)
        let ticket = try deliver(&flight, 7, .exactlyOnce)
        #expect(flight.release(7) == .packetIdentifierNotFound)
        flight.complete(ticket)
        #expect(ready(&flight) == ["PUBREC 7"])
        #expect(flight.release(7) == .success)
        #expect(flight.release(7) == .packetIdentifierNotFound)
    }

    @Test(
        """
        PUBACKs leave in the order received, PUBRECs too, however the handlers end [MQTT-4.6.0-2, -3, \
        MQTT311-4.6.0-2, -3]
        """
    )
    func order() throws {
        var flight = IncomingFlight()
        let one = try deliver(&flight, 1, .atLeastOnce)
        let two = try deliver(&flight, 2, .exactlyOnce)
        let three = try deliver(&flight, 3, .atLeastOnce)
        let four = try deliver(&flight, 4, .exactlyOnce)
        flight.complete(three)
        flight.complete(four)
        #expect(ready(&flight) == [])
        flight.complete(two)
        // Each kind has its own order: a slow message of QoS 1 holds up none of QoS 2.
        #expect(ready(&flight) == ["PUBREC 2", "PUBREC 4"])
        flight.complete(one)
        #expect(ready(&flight) == ["PUBACK 1", "PUBACK 3"])
    }

    @Test("More messages than the Receive Maximum that was announced are too many; QoS 2 counts until PUBREL")
    func quota() throws {
        var flight = IncomingFlight(receiveMaximum: 2)
        let one = try deliver(&flight, 1, .atLeastOnce)
        let two = try deliver(&flight, 2, .exactlyOnce)
        #expect(flight.receive(packetID: 3, qos: .atLeastOnce).isQuotaExceeded)
        // What was seen before is no further message.
        #expect(flight.receive(packetID: 2, qos: .exactlyOnce).isDuplicate)
        flight.complete(one)
        flight.complete(two)
        #expect(ready(&flight) == ["PUBACK 1", "PUBREC 2"])
        _ = try deliver(&flight, 3, .atLeastOnce)
        #expect(flight.receive(packetID: 4, qos: .atLeastOnce).isQuotaExceeded)
        #expect(flight.release(2) == .success)
        _ = try deliver(&flight, 4, .atLeastOnce)
    }

    @Test("The oldest message can be acknowledged early; its handler's end is then nothing new")
    func early() throws {
        var flight = IncomingFlight()
        let one = try deliver(&flight, 1, .atLeastOnce)
        let two = try deliver(&flight, 2, .exactlyOnce)
        for expected in ["PUBACK 1", "PUBREC 2"] {
            flight.complete(try #require(flight.oldestWithheld))
            #expect(ready(&flight) == [expected])
        }
        #expect(flight.oldestWithheld == nil)
        flight.complete(one)
        flight.complete(two, reasonCode: .unspecifiedError)
        #expect(ready(&flight) == [])
        #expect(flight.release(2) == .success)
    }

    @Test("On a new connection of the session, what QoS 2 has seen is a duplicate; acknowledgements are owed anew")
    func resumed() throws {
        var flight = IncomingFlight(receiveMaximum: 2)
        let handled = try deliver(&flight, 1, .exactlyOnce)
        let slow = try deliver(&flight, 2, .exactlyOnce)
        flight.complete(handled)
        #expect(ready(&flight) == ["PUBREC 1"])
        flight.connectionStarted(sessionPresent: true)
        #expect(flight.owedCount == 0)
        #expect(flight.receive(packetID: 1, qos: .exactlyOnce).isDuplicate)
        #expect(ready(&flight) == ["PUBREC 1"])
        #expect(flight.receive(packetID: 2, qos: .exactlyOnce).isDuplicate)
        #expect(flight.receive(packetID: 2, qos: .exactlyOnce).isDuplicate)
        #expect(ready(&flight) == [])
        flight.complete(slow)
        #expect(ready(&flight) == ["PUBREC 2"])
        #expect(flight.release(1) == .success && flight.release(2) == .success)
    }

    @Test("A message handled while its connection was away has its PUBREC when it comes again")
    func handledBetween() throws {
        var flight = IncomingFlight()
        let ticket = try deliver(&flight, 1, .exactlyOnce)
        flight.connectionStarted(sessionPresent: true)
        flight.complete(ticket)
        #expect(ready(&flight) == [])
        #expect(flight.receive(packetID: 1, qos: .exactlyOnce).isDuplicate)
        #expect(ready(&flight) == ["PUBREC 1"])
    }

    @Test(
        "What is still being handled of an earlier connection acknowledges no message of this one",
        arguments: [true, false])
    func staleTickets(sessionPresent: Bool) throws {
        var flight = IncomingFlight()
        let old = [try deliver(&flight, 1, .atLeastOnce), try deliver(&flight, 2, .exactlyOnce)]
        flight.connectionStarted(sessionPresent: sessionPresent)
        let again = try deliver(&flight, 1, .atLeastOnce)
        if !sessionPresent { _ = try deliver(&flight, 2, .exactlyOnce) }
        for ticket in old { flight.complete(ticket) }
        #expect(ready(&flight) == [])
        flight.complete(again)
        #expect(ready(&flight) == ["PUBACK 1"])
    }
}

extension IncomingFlight.Verdict {
    fileprivate var ticket: IncomingFlight.Ticket? {
        if case .deliver(let ticket) = self { ticket } else { nil }
    }

    fileprivate var isDuplicate: Bool {
        if case .duplicate = self { true } else { false }
    }

    fileprivate var isQuotaExceeded: Bool {
        if case .quotaExceeded = self { true } else { false }
    }
}
