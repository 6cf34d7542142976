import Testing

@testable import MQTTCore

/// Handlers may still run when the identifier of their message has been given to another.
@Suite(.timeLimit(.minutes(2))) struct IdentifierReuseTests {
    private func deliver(_ flight: inout IncomingFlight) throws -> IncomingFlight.Ticket {
        guard case .deliver(let ticket) = flight.receive(packetID: 7, qos: .exactlyOnce) else {
            throw MQTTXError(.protocolViolation, "not delivered")
        }
        return ticket
    }

    @Test("A handler whose message was acknowledged early does not acknowledge the next one of that identifier")
    func earlyAcknowledgement() throws {
        var flight = IncomingFlight()
        let first = try deliver(&flight)
        flight.complete(try #require(flight.oldestWithheld))
        #expect(flight.nextReady()?.type == .pubrec)
        #expect(flight.release(7) == .success)
        let second = try deliver(&flight)
        flight.complete(first)
        #expect(flight.nextReady() == nil)
        flight.complete(second)
        #expect(flight.nextReady()?.packetID == 7)
    }

    @Test("A handler of a session that is gone does not acknowledge a message of the next session")
    func lostSession() throws {
        var flight = IncomingFlight()
        let first = try deliver(&flight)
        flight.connectionStarted(sessionPresent: false)
        let second = try deliver(&flight)
        flight.complete(first)
        #expect(flight.nextReady() == nil)
        flight.complete(second)
        #expect(flight.nextReady()?.packetID == 7)
    }

    @Test(
        "A message that is sent again while its handler runs is acknowledged when that returns",
        arguments: [true, false])
    func resumed(isEarly: Bool) throws {
        var flight = IncomingFlight()
        let ticket = try deliver(&flight)
        flight.connectionStarted(sessionPresent: true)
        guard case .duplicate = flight.receive(packetID: 7, qos: .exactlyOnce) else {
            Issue.record("delivered twice")
            return
        }
        #expect(flight.nextReady() == nil)
        flight.complete(isEarly ? try #require(flight.oldestWithheld) : ticket)
        #expect(flight.nextReady() == IncomingFlight.Ready(type: .pubrec, packetID: 7, reasonCode: .success))
        #expect(flight.release(7) == .success)
    }
}
