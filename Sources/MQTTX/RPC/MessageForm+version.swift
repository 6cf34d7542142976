internal import MQTTCore
internal import MQTTXProtocol

extension MessageForm {
    /// The form to send in: the one asked for, or the richest that the version can carry.
    ///
    /// - Throws: ``ErrorCode/encodingFailed`` for the native form on MQTT 3.1.1, which has no properties.
    static func choose(_ wanted: MessageForm?, _ version: ProtocolVersion) throws(MQTTXError) -> MessageForm {
        guard version == .v3_1_1 else { return wanted ?? .dual }
        if wanted == .native {
            throw MQTTXError(.encodingFailed, "the native form needs MQTT 5.0; this connection is MQTT 3.1.1")
        }
        return .envelope
    }
}
