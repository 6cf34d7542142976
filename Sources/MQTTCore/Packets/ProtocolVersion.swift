/// The versions of MQTT spoken here.
public enum ProtocolVersion: UInt8, Sendable, Hashable, CaseIterable {
    /// MQTT 3.1.1, protocol level 4.
    case v3_1_1 = 4
    /// MQTT 5.0, protocol level 5.
    case v5 = 5

    /// The level that bridges ask for: 3.1.1, and a bit that says what they are.
    package static let bridgeLevel: UInt8 = 0x84
}

extension ProtocolVersion: CustomStringConvertible {
    /// `3.1.1` or `5.0`
    public var description: String { self == .v5 ? "5.0" : "3.1.1" }
}
