public import MQTTCore
public import MQTTXProtocol

/// An event as a handler gets it: structured and raw ones look alike.
public struct Event: Sendable {
    /// The topic it was published to.
    public let topic: String
    /// The message as an object, as in Python: the whole envelope of a structured event, or the raw value.
    public let message: JSONValue
    /// The structured event; nil for a raw one.
    public let event: EventMessage?
    /// The form it came in.
    public let form: MessageForm
    /// Whether the broker had kept it from before the subscription.
    public let isRetained: Bool

    init(topic: String, isRetained: Bool, _ incoming: IncomingEvent) {
        self.topic = topic
        self.isRetained = isRetained
        form = incoming.form
        event = incoming.isStructured ? incoming.event : nil
        message =
            incoming.isStructured && incoming.form == .native
            ? Self.envelope(incoming.event) : incoming.payload
    }

    /// What there is to say: the data of a structured event, or the raw value.
    public var data: JSONValue { event?.data ?? message }

    /// The kind of a structured event, as in `temperature.changed`; empty for a raw one.
    public var eventType: String { event?.eventType ?? "" }

    /// ``data`` as a type of the program.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/decodingFailed`` if it does not fit.
    public func decode<Data: Decodable>(as type: Data.Type = Data.self) throws(MQTTXError) -> Data {
        try data.decode(as: type)
    }

    /// What a native event would have been in an envelope, so that handlers see no difference.
    private static func envelope(_ event: EventMessage) -> JSONValue {
        [
            "type": "event", "event_type": .string(event.eventType), "data": event.data,
            "timestamp": .double(event.timestamp), "source": .string(event.source),
        ]
    }
}
