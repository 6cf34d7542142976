import Foundation
import MQTTCore
public import MQTTXProtobuf
import MQTTXProtocol
import NIOCore
public import SwiftProtobuf
import Testing

private let moment = Google_Protobuf_Timestamp(seconds: 1_700_000_000, nanos: 5)

// Users extend messages of their own, generated in their own module, and need no `@retroactive`.
extension Google_Protobuf_Timestamp: ProtobufCodable, @retroactive Encodable, @retroactive Decodable {}

@Suite(.timeLimit(.minutes(2))) struct ProtobufTests {
    @Test("Messages are params, results and event data in every form and codec", arguments: MessageForm.allCases)
    func everywhere(_ form: MessageForm) throws {
        for coder in [MessageCoder(), MessageCoder(.messagePack)] {
            let request = RPCRequest(method: "m", params: try coder.value(encoding: moment), replyTo: "r")
            let encoded = try coder.encode(request, as: form)
            guard case .request(let received) = try coder.decodeRPC(encoded.payload, encoded.properties).message else {
                Issue.record("not a request")
                return
            }
            #expect(try received.params.decode(as: Google_Protobuf_Timestamp.self) == moment)
            #expect(try received.params.decode(as: Protobuf<Google_Protobuf_Timestamp>.self).message == moment)
            #expect(try received.params.decode(message: Google_Protobuf_Timestamp.self) == moment)

            let event = try EventMessage(eventType: "e", encoding: Protobuf(moment))
            let published = try coder.encode(event, as: form)
            let heard = try coder.decodeEvent(published.payload, published.properties).event
            #expect(try heard.data.decode(message: Google_Protobuf_Timestamp.self) == moment)
        }
    }

    @Test("What travels is the serialized message: Base64 in JSON, bin in MessagePack")
    func bytes() throws {
        let serialized: Data = try moment.serializedBytes()
        let response = RPCResponse(requestID: "1", outcome: .result(try LazyValue(moment)))
        #expect(
            String(buffer: try MessageCoder().encode(response, as: .native).payload)
                == #"{"result":"\#(serialized.base64EncodedString())"}"#)
        let packed = try MessageCoder(.messagePack).encode(response, as: .native).payload
        #expect(try MessagePackCodec().decode(packed) == ["result": .binary([UInt8](serialized))])
    }

    @Test("Bytes that are no such message are DECODING_FAILED")
    func malformed() {
        for value: JSONValue in ["not Base64!", .binary([0xFF, 0xFF]), 5, .null] {
            #expect {
                _ = try value.decode(message: Google_Protobuf_Timestamp.self)
            } throws: { error in
                (error as? MQTTXError)?.code == .decodingFailed
            }
        }
    }
}
