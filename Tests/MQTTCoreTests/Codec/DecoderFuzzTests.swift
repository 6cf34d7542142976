import MQTTCore
import NIOCore
import TestSupport
import Testing

@Suite("Bytes of any kind", .timeLimit(.minutes(2)))
struct DecoderFuzzTests {
    @Test("Random bytes and broken packets are errors, never traps", arguments: [Receiver.client, .server])
    func fuzz(role: Receiver) throws {
        var random = SeededGenerator.announced("decoder fuzz \(role)")
        let end = ContinuousClock.now + .seconds(1)
        var count = 0
        while ContinuousClock.now < end || count < 100 {
            let version: ProtocolVersion? = [.v3_1_1, .v5, nil].randomElement(using: &random) ?? .v5
            var decoder = PacketDecoder(
                role: role, version: version, maximumPacketSize: random.bool() ? 1000 : 1 << 28,
                maximumPayloadSize: random.bool() ? 50 : nil)
            var bytes = try input(&random)
            do {
                while let piece = bytes.readSlice(
                    length: min(bytes.readableBytes, Int.random(in: 1...200, using: &random))),
                    piece.readableBytes > 0
                {
                    decoder.append(piece)
                    while try decoder.next() != nil { count += 1 }
                }
            } catch {
                #expect(error.reasonCode?.isError == true)
            }
            count += 1
        }
    }

    private func input(_ random: inout SeededGenerator) throws -> ByteBuffer {
        if Int.random(in: 0..<4, using: &random) == 0 { return random.buffer(0...200) }
        let version = ProtocolVersion.allCases.randomElement(using: &random) ?? .v5
        var bytes = ByteBuffer()
        for _ in 0..<3 {
            let type =
                PacketType.allCases.filter { version == .v5 || $0 != .auth }.randomElement(using: &random) ?? .publish
            bytes.writeImmutableBuffer(try encoded(random.packet(version, type), version))
        }
        for _ in 0..<Int.random(in: 0...4, using: &random) where bytes.readableBytes > 0 {
            let index = Int.random(in: 0..<bytes.readableBytes, using: &random)
            bytes.setInteger(UInt8.random(in: 0...255, using: &random), at: index)
        }
        if random.bool() {
            bytes = ByteBuffer(
                bytes: bytes.readableBytesView.prefix(Int.random(in: 0...bytes.readableBytes, using: &random)))
        }
        return bytes
    }
}
