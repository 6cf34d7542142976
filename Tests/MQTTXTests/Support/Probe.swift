import MQTTX

/// A peer that speaks in bytes, so that tests see what travels.
final class Probe {
    let client: MQTTClient
    private var messages: AsyncStream<MQTTMessage>.Iterator

    /// Listens on a topic.
    init(_ client: MQTTClient, _ topic: String) async throws {
        self.client = client
        let (stream, continuation) = AsyncStream.makeStream(of: MQTTMessage.self)
        messages = stream.makeAsyncIterator()
        try await client.subscribe(topic) { (message: MQTTMessage) in _ = continuation.yield(message) }
    }

    func next() async throws -> MQTTMessage {
        guard let message = await messages.next(isolation: #isolation) else { throw CancellationError() }
        return message
    }

    func json() async throws -> JSONValue { try JSONValue(jsonBytes: try await next().payload) }

    /// A request in the envelope form, as mqttxx 3 sends it.
    func request(
        _ topic: String, _ method: String, params: String = "null", id: String = RequestID.make(),
        replyTo: String?, retain: Bool = false, also: String = ""
    ) async throws {
        let reply = replyTo.map { "\"\($0)\"" } ?? "null"
        let text = """
            {"type": "rpc_request", "request_id": "\(id)", "method": "\(method)", "params": \(params), \
            "reply_to": \(reply), "caller_id": "probe"\(also)}
            """
        try await client.publish(topic, text, qos: .atLeastOnce, retain: retain)
    }
}
