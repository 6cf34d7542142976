internal import MQTTCore
internal import MQTTXClient
internal import MQTTXProtocol

/// Reads events out of messages, and counts what is none.
struct EventDecoder: Sendable {
    private let client: ClientLink
    private let coder: MessageCoder

    init(_ manager: EventChannelManager) {
        client = manager.client.link
        coder = manager.coder
    }

    /// The event in a message; nil, counted and told of, if it is none.
    func event(in message: MQTTMessage) -> Event? {
        do throws(MQTTXError) {
            let incoming = try coder.decodeEvent(message.payload, message.properties)
            return Event(topic: message.topic, isRetained: message.retain, incoming)
        } catch {
            client.reportIgnored(topic: message.topic, reason: "not an event: \(error)")
            return nil
        }
    }

    func decode<Data: Decodable>(_ event: Event, as type: Data.Type) -> Data? {
        do throws(MQTTXError) {
            return try event.decode(as: type)
        } catch {
            client.reportIgnored(topic: event.topic, reason: "the event's data do not fit: \(error)")
            return nil
        }
    }
}
