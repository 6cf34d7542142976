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
}
