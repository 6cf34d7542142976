internal import MQTTCore

/// A SUBSCRIBE or UNSUBSCRIBE that waits for its answer.
final class PendingRequest: Sendable {
    let makePacket: @Sendable (UInt16) -> Packet
    let answered: @Sendable (Result<Packet, MQTTXError>) -> Void

    /// - Parameters:
    ///   - makePacket: gives the packet its identifier.
    ///   - answered: called once, on no particular thread and under no lock.
    init(
        makePacket: @escaping @Sendable (UInt16) -> Packet,
        answered: @escaping @Sendable (Result<Packet, MQTTXError>) -> Void
    ) {
        self.makePacket = makePacket
        self.answered = answered
    }

    func packet(_ id: UInt16) -> Packet { makePacket(id) }

    /// Whether the packet answers each filter that was asked about (sections 3.9.3 and 3.11.3). The UNSUBACK of 3.1.1 has
    /// no codes.
    func isAnswered(by answer: Packet, _ version: ProtocolVersion) -> Bool {
        switch (makePacket(0), answer) {
        case (.subscribe(let request), .suback(let answer)): request.filters.count == answer.reasonCodes.count
        case (.unsubscribe(let request), .unsuback(let answer)):
            version == .v3_1_1 || request.filters.count == answer.reasonCodes.count
        default: false
        }
    }
}
