import MQTTCore
import MQTTXBroker
import NIOCore

extension RawClient {
    /// Connects to a session that outlives the connection, and goes on with it if there is one.
    static func resume(
        _ broker: Broker, _ clientID: String, version: ProtocolVersion = .v5, will: Will? = nil,
        properties: (inout Properties) -> Void = { _ in }
    ) async throws -> RawClient {
        try await connect(broker, clientID, version: version, cleanStart: false, will: will) {
            $0.sessionExpiryInterval = 100
            properties(&$0)
        }
    }

    /// Sends a message as it is, without waiting for an answer.
    func put(_ topic: String, _ text: String = "x", qos: QoS, packetID: UInt16 = 0, dup: Bool = false) async throws {
        try await send(
            .publish(
                Publish(topic: topic, payload: .init(string: text), qos: qos, dup: dup, packetID: packetID)))
    }

    /// The texts of so many messages, and of those that come right after them.
    func texts(_ count: Int) async throws -> [String] {
        var packets: [Packet] = []
        for _ in 0..<count { packets.append(try await receive()) }
        packets += try await drain()
        return packets.compactMap { if case .publish(let publish) = $0 { publish.text } else { nil } }
    }

    /// Acknowledges a message of QoS 2 to its end.
    func complete(_ publish: Publish) async throws {
        try await send(.pubrec(Acknowledgement(packetID: publish.packetID)))
        guard try await receive() == .pubrel(Acknowledgement(packetID: publish.packetID)) else {
            throw RawClientError.unexpected
        }
        try await send(.pubcomp(Acknowledgement(packetID: publish.packetID)))
    }
}
