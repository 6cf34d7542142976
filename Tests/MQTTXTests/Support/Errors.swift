import MQTTX

/// The error that the body ends with; nil if it does not, or not with one of ours.
func error(of body: () async throws -> Void) async -> MQTTXError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? MQTTXError
    }
}
