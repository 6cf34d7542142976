import MQTTCore
import MQTTXProtocol
import NIOCore

/// Requests, responses and events to payload and properties, and back.
func dualForm() throws -> [Benchmark] { try benchmarks("dual", MessageCoder(.json), .dual) }

func envelopeForm() throws -> [Benchmark] { try benchmarks("envelope", MessageCoder(.json), .envelope) }

func nativeForm() throws -> [Benchmark] { try benchmarks("native", MessageCoder(.json), .native) }

func messagePack() throws -> [Benchmark] { try benchmarks("messagepack", MessageCoder(.messagePack), .dual) }

/// A small object, as calls have.
let params: JSONValue = ["id": 1, "cmd": "restart", "vals": [1.5, 2.5]]

private func benchmarks(_ name: String, _ coder: MessageCoder, _ form: MessageForm) throws -> [Benchmark] {
    let id = "0b7a6c3e-51d8-4f3b-9d55-6f7f3c1f2a10"
    let request = RPCRequest(
        requestID: id, method: "get_status", params: params, replyTo: "rpc/r/device_123", callerID: "device_123")
    let response = RPCResponse(requestID: id, result: params)
    let event = EventMessage(
        eventType: "temperature.changed", data: params, source: "room1", timestamp: 1_767_225_600.25)
    let requestBytes = try coder.encode(request, as: form)
    let responseBytes = try coder.encode(response, as: form)
    let eventBytes = try coder.encode(event, as: form)
    return [
        Benchmark("\(name)/request-write") { keep(try coder.encode(request, as: form)) },
        Benchmark("\(name)/request-read") { keep(try coder.decodeRPC(requestBytes.payload, requestBytes.properties)) },
        Benchmark("\(name)/response-write") { keep(try coder.encode(response, as: form)) },
        Benchmark("\(name)/response-read") {
            keep(try coder.decodeRPC(responseBytes.payload, responseBytes.properties))
        },
        Benchmark("\(name)/event-write") { keep(try coder.encode(event, as: form)) },
        Benchmark("\(name)/event-read") { keep(try coder.decodeEvent(eventBytes.payload, eventBytes.properties)) },
    ]
}
