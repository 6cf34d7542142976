public import MQTTCore

/// How a published message ended.
public enum PublishOutcome: Sendable {
    /// Written (QoS 0), acknowledged (QoS 1) or completed (QoS 2). The reason code is the broker's: it may say that nobody
    /// has subscribed (0x10).
    case delivered(ReasonCode)
    /// It did not reach the broker, or nobody knows whether it did; the error says which.
    case failed(MQTTXError)

    /// The broker's reason code.
    ///
    /// - Throws: ``MQTTXError`` if the message failed.
    @discardableResult
    public func get() throws(MQTTXError) -> ReasonCode {
        switch self {
        case .delivered(let reasonCode): return reasonCode
        case .failed(let error): throw error
        }
    }
}
