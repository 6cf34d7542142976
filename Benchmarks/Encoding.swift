import MQTTCore
import NIOCore

/// Packets to bytes, into a buffer whose memory is used again.
func encoding() throws -> [Benchmark] {
    let batch = 64
    func benchmark(
        _ name: String, _ version: ProtocolVersion, _ body: @escaping (PacketEncoder, inout ByteBuffer) throws -> Void
    ) -> Benchmark {
        let encoder = PacketEncoder(version: version)
        var buffer = ByteBuffer()
        return Benchmark("encode/\(name)", batch: batch) {
            buffer.clear()
            for _ in 0..<batch { try body(encoder, &buffer) }
        }
    }
    func benchmark(_ name: String, _ version: ProtocolVersion, _ publish: Publish) -> Benchmark {
        let packet = Packet.publish(publish)
        return benchmark(name, version) { encoder, buffer in try encoder.encode(packet, into: &buffer) }
    }
    return [
        benchmark("publish-qos0", .v3_1_1, publish(.atMostOnce)),
        benchmark("publish-qos1-v5", .v5, publish(.atLeastOnce)),
        benchmark("publish-request-v5", .v5, publish(.atLeastOnce, requestProperties)),
        benchmark("puback", .v5) { encoder, buffer in
            try encoder.encodeAcknowledgement(type: .puback, packetID: 4_711, into: &buffer)
        },
    ]
}
