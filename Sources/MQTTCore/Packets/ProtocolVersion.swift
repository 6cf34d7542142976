/// The versions of MQTT spoken here.
public enum ProtocolVersion: UInt8, Sendable, Hashable, CaseIterable {
    case v3_1_1 = 4
    case v5 = 5
}
