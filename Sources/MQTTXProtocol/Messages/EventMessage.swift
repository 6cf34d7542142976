private import Foundation
public import MQTTCore

/// Something that happened, told to whoever listens.
public struct EventMessage: Sendable, Hashable {
    /// What kind of event, as in `temperature.changed`.
    public var eventType: String
    /// What there is to say about it.
    public var data: JSONValue
    /// Who says so; possibly empty.
    public var source: String
    /// When, in seconds since 1970.
    public var timestamp: Double
    /// The members of the envelope's reserved key `x`, or the user properties `x-…` without that prefix.
    public var extensions: JSONObject
    /// Members of the envelope that this version does not know, carried through as they are.
    public var unknownMembers: JSONObject

    /// - Parameter timestamp: Seconds since 1970; now by default.
    public init(
        eventType: String, data: JSONValue = .null, source: String = "", timestamp: Double? = nil,
        extensions: JSONObject = [:], unknownMembers: JSONObject = [:]
    ) {
        self.eventType = eventType
        self.data = data
        self.source = source
        self.timestamp = timestamp ?? Date().timeIntervalSince1970
        self.extensions = extensions
        self.unknownMembers = unknownMembers
    }

    /// An event whose data is any `Encodable` value.
    ///
    /// - Throws: `MQTTXError` with ``ErrorCode/encodingFailed``.
    public init(
        eventType: String, encoding data: some Encodable, source: String = "", timestamp: Double? = nil
    ) throws(MQTTXError) {
        self.init(eventType: eventType, data: try JSONValue(encoding: data), source: source, timestamp: timestamp)
    }
}

/// A decoded event, structured or raw, and the form it came in.
public struct IncomingEvent: Sendable {
    /// The event. A raw one has an empty `eventType` and `source`, the time 0, and the whole value as its data.
    public let event: EventMessage
    /// Whether it is an `EventMessage` (its envelope or its properties say so) rather than any other value.
    public let isStructured: Bool
    /// The payload as it was decoded: the envelope in the dual and envelope forms, the data alone in the native form.
    public let payload: JSONValue
    /// The form it came in; ``MessageForm/envelope`` when raw without properties.
    public let form: MessageForm
}
