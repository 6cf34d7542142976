internal import MQTTCore

/// A SUBSCRIBE or UNSUBSCRIBE that waits for its answer.
final class PendingRequest: Sendable {
    let makePacket: @Sendable (UInt16) -> Packet
    let answered: @Sendable (Result<Packet, MQTTXError>) -> Void
    private let attempts: Int

    /// - Parameters:
    ///   - makePacket: gives the packet its identifier.
    ///   - answered: called once, on no particular thread and under no lock.
    ///   - attempts: how often it may be asked.
    init(
        attempts: Int = 64,
        makePacket: @escaping @Sendable (UInt16) -> Packet,
        answered: @escaping @Sendable (Result<Packet, MQTTXError>) -> Void
    ) {
        self.attempts = attempts
        self.makePacket = makePacket
        self.answered = answered
    }

    func packet(_ id: UInt16) -> Packet { makePacket(id) }

    /// The request to be asked again, with another packet identifier, where the broker holds that its identifier is in use:
    /// mochi-mqtt confuses ours with those of its own messages.
    func again(after answer: Packet) -> PendingRequest? {
        let codes: [ReasonCode] =
            switch answer {
            case .suback(let answer): answer.reasonCodes
            case .unsuback(let answer): answer.reasonCodes
            default: []
            }
        guard attempts > 1, !codes.isEmpty, codes.allSatisfy({ $0 == .packetIdentifierInUse }) else { return nil }
        return PendingRequest(attempts: attempts - 1, makePacket: makePacket, answered: answered)
    }

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
