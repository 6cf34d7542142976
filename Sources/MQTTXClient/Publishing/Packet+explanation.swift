internal import MQTTCore

extension Packet {
    /// DISCONNECT and AUTH without reason string and user properties.
    var withoutExplanation: Packet {
        switch self {
        case .disconnect(var disconnect):
            disconnect.properties.removeExplanation()
            return .disconnect(disconnect)
        case .auth(var auth):
            auth.properties.removeExplanation()
            return .auth(auth)
        default:
            return self
        }
    }
}

extension Properties {
    fileprivate mutating func removeExplanation() {
        reasonString = nil
        userProperties = []
    }
}
