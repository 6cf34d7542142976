import MQTTCore

/// The tables of messages in flight, with a thousand of them in there all the time.
func flights() throws -> [Benchmark] { [outgoingQoS1(), outgoingQoS2(), incomingQoS1(), incomingQoS2()] }

private let inFlight = 1_000

private final class Message: Sendable {}

private func outgoingQoS1() -> Benchmark {
    let message = Message()
    var flight = OutgoingFlight()
    var ids = (0..<inFlight).compactMap { _ in flight.add(message, qos: .atLeastOnce) }
    var next = 0
    return Benchmark("flight/outgoing-qos1") {
        keep(flight.puback(ids[next]))
        ids[next] = try taken(flight.add(message, qos: .atLeastOnce))
        next = (next + 1) % inFlight
    }
}

private func outgoingQoS2() -> Benchmark {
    let message = Message()
    var flight = OutgoingFlight()
    var ids = (0..<inFlight).compactMap { _ in flight.add(message, qos: .exactlyOnce) }
    var next = 0
    return Benchmark("flight/outgoing-qos2") {
        keep(flight.pubrec(ids[next], reasonCode: .success))
        keep(flight.pubcomp(ids[next]))
        ids[next] = try taken(flight.add(message, qos: .exactlyOnce))
        next = (next + 1) % inFlight
    }
}

private func incomingQoS1() -> Benchmark {
    var flight = IncomingFlight()
    var tickets = (0..<inFlight).compactMap { try? ticket(flight.receive(packetID: UInt16($0 + 1), qos: .atLeastOnce)) }
    var next = 0
    return Benchmark("flight/incoming-qos1") {
        flight.complete(tickets[next])
        keep(flight.nextReady())
        tickets[next] = try ticket(flight.receive(packetID: tickets[next].packetID, qos: .atLeastOnce))
        next = (next + 1) % inFlight
    }
}

private func incomingQoS2() -> Benchmark {
    var flight = IncomingFlight()
    var tickets = (0..<inFlight).compactMap { try? ticket(flight.receive(packetID: UInt16($0 + 1), qos: .exactlyOnce)) }
    var next = 0
    return Benchmark("flight/incoming-qos2") {
        let id = tickets[next].packetID
        flight.complete(tickets[next])
        keep(flight.nextReady())
        keep(flight.release(id))
        tickets[next] = try ticket(flight.receive(packetID: id, qos: .exactlyOnce))
        next = (next + 1) % inFlight
    }
}

/// What can't happen as the tables are filled above; a benchmark that measures something else must not pass for one.
private struct NoRoom: Error {}

private func taken(_ id: UInt16?) throws -> UInt16 {
    guard let id else { throw NoRoom() }
    return id
}

private func ticket(_ verdict: IncomingFlight.Verdict) throws -> IncomingFlight.Ticket {
    guard case .deliver(let ticket) = verdict else { throw NoRoom() }
    return ticket
}
