internal import MQTTCore

extension MQTTXError {
    /// What a PUBACK or PUBREC with an error says.
    init(publishRefused ack: Acknowledgement, topic: String) {
        let code: ErrorCode =
            switch ack.reasonCode {
            case .notAuthorized: .permissionDenied
            case .packetTooLarge: .packetTooLarge
            case .topicNameInvalid: .invalidTopic
            default: .publishFailed
            }
        let reason = ack.properties.reasonString.map { ": \($0)" } ?? ""
        self.init(
            code, "the broker refused the message to '\(topic)': \(ack.reasonCode.text)\(reason)",
            reasonCode: ack.reasonCode, properties: ack.properties)
    }
}
