public import MQTTCore

/// How a published message ended.
public enum PublishOutcome: Sendable {
    /// Written (QoS 0), acknowledged (QoS 1) or completed (QoS 2), and what the broker said.
    case delivered(BrokerAnswer)
    /// It did not reach the broker, or nobody knows whether it did; the error says which.
    case failed(MQTTXError)

    /// The broker's reason code.
    ///
    /// - Throws: ``MQTTXError`` if the message failed.
    @discardableResult
    public func get() throws(MQTTXError) -> ReasonCode {
        switch self {
        case .delivered(let answer): return answer.reasonCode
        case .failed(let error): throw error
        }
    }
}

extension PublishOutcome {
    /// QoS 0: there is no answer.
    static let written = PublishOutcome.delivered(BrokerAnswer(.success))
}
