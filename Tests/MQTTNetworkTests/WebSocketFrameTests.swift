import NIOCore
import NIOEmbedded
import Testing

@testable import MQTTCore
@testable import MQTTNetwork

@Suite("WebSocket frames", .timeLimit(.minutes(2)))
struct WebSocketFrameTests {
    /// A frame as a peer would send it.
    static func frame(
        _ opcode: UInt8, _ payload: [UInt8] = [], isFinal: Bool = true, mask: [UInt8]? = [0x12, 0x34, 0x56, 0x78]
    ) -> [UInt8] {
        var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | opcode]
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        switch payload.count {
        case ...125: bytes.append(maskBit | UInt8(payload.count))
        case ...65_535: bytes += [maskBit | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default:
            bytes.append(maskBit | 127)
            bytes += (0..<8).reversed().map { UInt8(truncatingIfNeeded: payload.count >> ($0 * 8)) }
        }
        guard let mask else { return bytes + payload }
        return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
    }

    private struct Outcome: Equatable {
        var data: [UInt8] = []
        var pings: [[UInt8]] = []
        var closes: [UInt16?] = []
    }

    private func read(_ chunks: [ArraySlice<UInt8>], as role: WebSocketFrameReader.Role) throws -> Outcome {
        var reader = WebSocketFrameReader(role: role, maximumFrameSize: WebSocketHandler.maximumFrameSize)
        var outcome = Outcome()
        for chunk in chunks {
            var bytes = ByteBuffer(bytes: chunk)
            while let event = try reader.next(&bytes) {
                switch event {
                case .data(let data): outcome.data += Array(buffer: data)
                case .ping(let payload): outcome.pings.append(Array(buffer: payload))
                case .pong: break
                case .close(let code): outcome.closes.append(code?.rawValue)
                }
            }
            #expect(bytes.readableBytes == 0)
        }
        return outcome
    }

    @Test("frames mean the same wherever the stream is cut [MQTT-6.0.0-2, MQTT311-6.0.0-2]", arguments: [true, false])
    func split(isMasked: Bool) throws {
        let mask: [UInt8]? = isMasked ? [0xA1, 0, 0xFF, 7] : nil
        let payload = (0..<200).map { UInt8($0) }
        var stream: [UInt8] = []
        stream += Self.frame(2, [1, 2, 3], mask: mask)
        stream += Self.frame(2, [], mask: mask)
        stream += Self.frame(2, Array(payload[..<50]), isFinal: false, mask: mask)
        stream += Self.frame(9, [9, 8, 7], mask: mask)
        stream += Self.frame(0, [], isFinal: false, mask: mask)
        stream += Self.frame(0, Array(payload[50..<55]), isFinal: false, mask: mask)
        stream += Self.frame(9, mask: mask)
        stream += Self.frame(10, [1], mask: mask)
        stream += Self.frame(0, Array(payload[55...]), mask: mask)
        stream += Self.frame(8, [0x03, 0xE8, 0x21], mask: mask)
        let expected = Outcome(data: [1, 2, 3] + payload, pings: [[9, 8, 7], []], closes: [1000])
        let role: WebSocketFrameReader.Role = isMasked ? .server : .client
        #expect(try read([stream[...]], as: role) == expected)
        #expect(try read(stream.indices.map { stream[$0...$0] }, as: role) == expected)
        for cut in stream.indices {
            #expect(try read([stream[..<cut], stream[cut...]], as: role) == expected, "cut at \(cut)")
        }
    }

    static let violations: [([UInt8], WebSocketViolation)] = [
        (frame(1, [0x61]), .unsupportedData),
        (frame(2, [1], mask: nil), .protocolError("a client must mask its frames")),
        ([0xC2, 0x80], .protocolError("a reserved bit is set")),
        ([0x83, 0x80], .protocolError("unknown opcode")),
        ([0x8F, 0x80], .protocolError("unknown opcode")),
        (frame(0, [1]), .protocolError("a continuation without a beginning")),
        (frame(2, [1], isFinal: false) + frame(2, [1]), .protocolError("a message begins inside another")),
        (frame(9, [1], isFinal: false), .protocolError("a control frame in fragments")),
        ([0x89, 0xFE, 0, 126], .protocolError("a control frame is too long")),
        (frame(8, [3]), .protocolError("half a close code")),
        ([0x82, 0xFF] + [UInt8](repeating: 0xFF, count: 12), .tooLarge(.max)),
        ([0x82, 0xFF, 0, 0, 0, 0, 0x10, 0, 0, 5, 0, 0, 0, 0], .tooLarge(268_435_461)),
    ]

    @Test("what is forbidden is an error that names it [MQTT-6.0.0-1, MQTT311-6.0.0-1]", arguments: violations)
    func violation(_ bytes: [UInt8], _ violation: WebSocketViolation) {
        let inPieces = bytes.indices.map { bytes[$0...$0] }
        #expect(throws: violation) { _ = try read([bytes[...]], as: .server) }
        #expect(throws: violation) { _ = try read(inPieces, as: .server) }
    }

    @Test(
        "a client forbids a server the same [MQTT-6.0.0-1, MQTT311-6.0.0-1]",
        arguments: [
            (frame(1, [0x61], mask: nil), .unsupportedData),
            (frame(2, [1]), .protocolError("a server must not mask its frames")),
            (frame(0, [1], mask: nil), .protocolError("a continuation without a beginning")),
        ] as [([UInt8], WebSocketViolation)])
    func violationOfAServer(_ bytes: [UInt8], _ violation: WebSocketViolation) {
        #expect(throws: violation) { _ = try read([bytes[...]], as: .client) }
    }

    @Test("random bytes are never more than an error")
    func fuzz() {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SplitMix(state: seed)
        for round in 0..<2_000 {
            var bytes = (0..<Int.random(in: 1...64, using: &generator)).map { _ in
                UInt8.random(in: .min ... .max, using: &generator)
            }
            // Mostly past the first checks.
            if Bool.random(using: &generator) { bytes[0] = [0x02, 0x82, 0x00, 0x89, 0x88][round % 5] }
            _ = try? read([bytes[...]], as: round.isMultiple(of: 2) ? .server : .client)
        }
        withKnownSeed(seed)
    }

    private func withKnownSeed(_ seed: UInt64) { print("seed of the frame reader's fuzz test: \(seed)") }

    private struct SplitMix: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private func makeChannel(_ role: WebSocketFrameReader.Role) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: WebSocketHandler(role: role))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private func sent(_ channel: EmbeddedChannel) throws -> [UInt8] {
        var all: [UInt8] = []
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { all += Array(buffer: bytes) }
        return all
    }

    @Test("a ping is answered with its payload")
    func ping() throws {
        let channel = try makeChannel(.server)
        try channel.writeInbound(ByteBuffer(bytes: Self.frame(9, [1, 2, 3])))
        #expect(try sent(channel) == Self.frame(10, [1, 2, 3], mask: nil))
        _ = try channel.finish()
    }

    @Test("a close is answered with its code, and the connection ends")
    func close() throws {
        let channel = try makeChannel(.server)
        try channel.writeInbound(ByteBuffer(bytes: Self.frame(8, [0x03, 0xE9]) + Self.frame(2, [1])))
        #expect(try sent(channel) == Self.frame(8, [0x03, 0xE9], mask: nil))
        #expect(try channel.readInbound(as: ByteBuffer.self) == nil)
        #expect(!channel.isActive)
    }

    @Test("our own close says so, once")
    func ownClose() throws {
        let channel = try makeChannel(.server)
        try channel.close().wait()
        #expect(try sent(channel) == Self.frame(8, [0x03, 0xE8], mask: nil))
    }

    @Test("a text frame ends the connection with 1003 [MQTT-6.0.0-1, MQTT311-6.0.0-1]", arguments: [true, false])
    func text(isServer: Bool) throws {
        let channel = try makeChannel(isServer ? .server : .client)
        let text = Self.frame(1, [0x61], mask: isServer ? [1, 2, 3, 4] : nil)
        let error = #expect(throws: MQTTXError.self) { try channel.writeInbound(ByteBuffer(bytes: text)) }
        #expect(error?.code == .protocolViolation)
        let close = try sent(channel)
        if isServer { #expect(close == Self.frame(8, [0x03, 0xEB], mask: nil)) }
        #expect(close.first == 0x88)
        #expect(!channel.isActive)
    }

    @Test("what a client writes is masked, and leaves the writer's buffer alone", arguments: [0, 5, 125, 126, 70_000])
    func masked(size: Int) throws {
        let channel = try makeChannel(.client)
        let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        let buffer = ByteBuffer(bytes: payload)
        try channel.writeOutbound(buffer)
        let bytes = try sent(channel)
        #expect(try read([bytes[...]], as: .server).data == payload)
        #expect(Array(buffer: buffer) == payload)
        _ = try channel.finish()
    }

    @Test(
        "a server gives each packet a frame of its own, which Paho's C library needs to take all of them at once",
        arguments: [[2], [2, 2, 2], [2, 130, 5000, 2], [5000, 70_000, 4096, 4097, 3], [70_000, 70_000]])
    func packetsInFrames(sizes: [Int]) throws {
        let channel = try makeChannel(.server)
        let packets = sizes.map(Self.publish(size:))
        try channel.writeOutbound(ByteBuffer(bytes: packets.flatMap { $0 }))
        #expect(try sent(channel) == packets.flatMap { Self.frame(2, $0, mask: nil) })
        _ = try channel.finish()
    }

    /// So many bytes that begin as a packet does; what it holds is no frame's business.
    private static func publish(size: Int) -> [UInt8] {
        let lengthSize = (1...4).first { size - 1 - $0 < 1 << (7 * $0) } ?? 4
        var bytes: [UInt8] = [0x30]
        var remaining = size - 1 - lengthSize
        for index in 0..<lengthSize {
            bytes.append(UInt8(remaining & 0x7F) | (index == lengthSize - 1 ? 0 : 0x80))
            remaining >>= 7
        }
        return bytes + [UInt8](repeating: 0x30, count: size - bytes.count)
    }
}
