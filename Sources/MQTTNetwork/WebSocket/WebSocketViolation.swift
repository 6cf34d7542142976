import MQTTCore

/// What a peer did that WebSocket, or MQTT over it, forbids.
enum WebSocketViolation: Error, Equatable {
    case protocolError(String)
    /// A text frame (MQTT-6.0.0-1).
    case unsupportedData
    case tooLarge(UInt64)

    var closeCode: WebSocketCloseCode {
        switch self {
        case .protocolError: .protocolError
        case .unsupportedData: .unsupportedData
        case .tooLarge: .tooLarge
        }
    }

    var error: MQTTXError {
        switch self {
        case .protocolError(let reason):
            MQTTXError(.protocolViolation, "WebSocket: \(reason)")
        case .unsupportedData:
            MQTTXError(
                .protocolViolation, "WebSocket: a text frame, where MQTT takes binary frames alone [MQTT-6.0.0-1]")
        case .tooLarge(let size):
            MQTTXError(.packetTooLarge, "WebSocket: a frame of \(size) bytes is larger than any MQTT packet")
        }
    }
}
