import MQTTCore
import MQTTXProtocol
import NIOCore
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct MessagePackTests {
    @Test(
        "Values have the bytes that Python's msgpack gives them",
        arguments: [
            (
                [
                    0, 127, 128, 255, 256, 65535, 65536, 4_294_967_295, 4_294_967_296, .int(.max),
                    .bigInt("9223372036854775808"), .bigInt("18446744073709551615"),
                ],
                "9c007fcc80ccffcd0100cdffffce00010000ceffffffffcf0000000100000000cf7fffffffffffffff"
                    + "cf8000000000000000cfffffffffffffffff"
            ),
            (
                [-1, -32, -33, -128, -129, -32768, -32769, -2_147_483_648, -2_147_483_649, .int(.min)],
                "9affe0d0dfd080d1ff7fd18000d2ffff7fffd280000000d3ffffffff7fffffffd38000000000000000"
            ),
            (
                [.string(String(repeating: "a", count: 31)), .string(String(repeating: "a", count: 32)), "é"],
                "93bf61616161616161616161616161616161616161616161616161616161616161"
                    + "d9206161616161616161616161616161616161616161616161616161616161616161a2c3a9"
            ),
            ([.binary([1, 2]), 1.5, nil, true, false], "95c4020102cb3ff8000000000000c0c3c2"),
            (["a": [], "b": [:]], "82a16190a16280"),
        ] as [(JSONValue, String)])
    func golden(_ value: JSONValue, _ hex: String) throws {
        let codec = MessagePackCodec()
        #expect(try codec.encode(value) == ByteBuffer(hex: hex))
        #expect(try codec.decode(ByteBuffer(hex: hex)) == value)
    }

    @Test(
        "Extension types and odd keys are understood",
        arguments: [
            ("d6ff00000001", 1), ("d7ff7735940000000001", 1.5), ("c70cff00000000ffffffffffffffff", -1),
            ("c70305616263", ["ext": 5, "data": .binary([0x61, 0x62, 0x63])]), ("8105c0", ["5": nil]),
            ("81c4016101", ["a": 1]), ("ca3fc00000", 1.5), ("d4ff00", ["ext": -1, "data": .binary([0])]),
        ] as [(String, JSONValue)])
    func extensions(_ hex: String, _ value: JSONValue) throws {
        #expect(try MessagePackCodec().decode(ByteBuffer(hex: hex)) == value)
    }

    @Test(
        "What is cut short, too long or too deep is an error, and allocates nothing",
        arguments: [
            "", "c1", "dd", "ddffffffff", "dfffffffff", "dbffffffff61", "c6ffffffff", "c9ffffffff01", "92c0", "81a161",
            "81c0c0", "c0c0",
            "cb00", "d9", "8190c0", String(repeating: "91", count: 513) + "c0",
            String(repeating: "dd0fffffff", count: 100), String(repeating: "81a161", count: 2_000),
        ])
    func malformed(_ hex: String) {
        #expect(code { _ = try MessagePackCodec().decode(ByteBuffer(hex: hex)) } == .decodingFailed)
        #expect(throws: MQTTXError.self) {
            _ = try MessageCoder(.messagePack).decodeRPC(ByteBuffer(hex: hex), Properties())
        }
    }

    @Test("Text that is not UTF-8 is INVALID_UTF8, and integers beyond 64 bits can't be encoded")
    func limits() {
        #expect(code { _ = try MessagePackCodec().decode(ByteBuffer(hex: "a1ff")) } == .invalidUTF8)
        #expect(code { _ = try MessagePackCodec().encode(.bigInt("18446744073709551616")) } == .encodingFailed)
    }

    @Test("Random values survive a round trip", arguments: [21, 22, 23] as [UInt64])
    func roundTrip(seed: UInt64) throws {
        print("seed \(seed)")
        var random = RandomJSON(seed: seed, allowsBinary: true)
        for _ in 0..<300 {
            let value = random.value()
            #expect(try MessagePackCodec().decode(MessagePackCodec().encode(value)) == value)
        }
    }

    @Test("Bytes of any kind make an error or a value, never a trap", arguments: [31, 32, 33] as [UInt64])
    func fuzz(seed: UInt64) throws {
        print("seed \(seed)")
        var random = RandomJSON(seed: seed, allowsBinary: true)
        var generator = SeededGenerator(seed: seed)
        let coder = MessageCoder(.messagePack)
        for _ in 0..<600 {
            var bytes = Array(
                buffer: try MessagePackCodec().encode(["params": random.value(depth: 3), "type": "rpc_request"]))
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let position = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[position] = UInt8.random(in: 0...255, using: &generator)
            }
            if Bool.random(using: &generator) {
                bytes = Array(bytes.prefix(Int.random(in: 0..<bytes.count, using: &generator)))
            }
            _ = try? MessagePackCodec().decode(ByteBuffer(bytes: bytes))
            _ = try? coder.decodeRPC(ByteBuffer(bytes: bytes), Properties())
            _ = try? coder.decodeEvent(ByteBuffer(bytes: bytes), Properties())
        }
    }
}
