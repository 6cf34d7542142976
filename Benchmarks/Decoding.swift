import MQTTCore
import NIOCore

/// Bytes to packets, as many packets to a read buffer as a busy connection has.
func decoding() throws -> [Benchmark] {
    let batch = 64
    func benchmark(_ name: String, _ version: ProtocolVersion, _ packet: Packet) throws -> Benchmark {
        let buffer = try encoded(packet, version, times: batch)
        var decoder = PacketDecoder(role: .client, version: version)
        return Benchmark("decode/\(name)", batch: batch) {
            decoder.append(buffer)
            while let packet = try decoder.next() { keep(packet) }
        }
    }
    let identified = Properties.with { $0.subscriptionIdentifiers = [7] }
    return [
        try benchmark("publish-qos0", .v3_1_1, .publish(publish(.atMostOnce))),
        try benchmark("publish-qos1", .v3_1_1, .publish(publish(.atLeastOnce))),
        try benchmark("publish-qos1-v5", .v5, .publish(publish(.atLeastOnce, identified))),
        try benchmark("publish-request-v5", .v5, .publish(publish(.atLeastOnce, requestProperties))),
        try benchmark("puback", .v5, .puback(Acknowledgement(packetID: 4_711))),
    ]
}

/// The message of most measurements: 256 bytes.
func publish(_ qos: QoS, _ properties: Properties = .init()) -> Publish {
    Publish(
        topic: "sensors/room1/temperature", payload: ByteBuffer(repeating: UInt8(ascii: "x"), count: 256), qos: qos,
        packetID: qos == .atMostOnce ? 0 : 4_711, properties: properties)
}

/// What a call carries beside its payload.
let requestProperties = Properties.with {
    $0.responseTopic = "rpc/r/device_123"
    $0.correlationData = ByteBuffer(string: "0b7a6c3e-51d8-4f3b-9d55-6f7f3c1f2a10")
    $0.userProperties = [UserProperty("caller_id", "device_123")]
}

private func encoded(_ packet: Packet, _ version: ProtocolVersion, times: Int) throws -> ByteBuffer {
    var buffer = ByteBuffer()
    for _ in 0..<times { try PacketEncoder(version: version).encode(packet, into: &buffer) }
    return buffer
}
