import MQTTCore
import MQTTXProtocol
import NIOCore
import Testing

/// A codec of a user's own.
struct XORCodec: Codec {
    let key: UInt8

    func encode(_ value: JSONValue) throws -> ByteBuffer { masked(try value.jsonBytes()) }

    func decode(_ bytes: ByteBuffer) throws -> JSONValue { try JSONValue(jsonBytes: masked(bytes)) }

    private func masked(_ bytes: ByteBuffer) -> ByteBuffer {
        ByteBuffer(bytes: bytes.readableBytesView.map { $0 ^ key })
    }
}

private struct FailingCodec: Codec {
    struct Failure: Error {}

    func encode(_ value: JSONValue) throws -> ByteBuffer { throw Failure() }
    func decode(_ bytes: ByteBuffer) throws -> JSONValue { throw Failure() }
}

@Suite(.timeLimit(.minutes(2))) struct CustomCodecTests {
    @Test("A dozen lines make a codec, and the whole message goes through it")
    func custom() throws {
        let coder = MessageCoder(XORCodec(key: 0x20))
        #expect(!coder.decodesOnReceivePath)
        let payload = try coder.encode(RPCRequest(requestID: "1", method: "m"), as: .native).payload
        #expect(payload == ByteBuffer(bytes: Array(#"{"method":"m","params":null}"#.utf8).map { $0 ^ 0x20 }))
        #expect(try XORCodec(key: 7).decode([Int].self, from: XORCodec(key: 7).encode([1, 2])) == [1, 2])
    }

    @Test("What a codec throws is the cause of an MQTTXError")
    func failing() {
        let coder = MessageCoder(FailingCodec())
        #expect(code { _ = try coder.encode(RPCRequest(method: "m"), as: .dual) } == .encodingFailed)
        #expect {
            _ = try coder.decodeRPC(ByteBuffer(), Properties())
        } throws: { error in
            (error as? MQTTXError)?.code == .decodingFailed && (error as? MQTTXError)?.cause is FailingCodec.Failure
        }
    }
}
