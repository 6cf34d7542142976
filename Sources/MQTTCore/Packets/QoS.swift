/// Quality of service: how often a message is delivered (section 4.3).
public enum QoS: UInt8, Sendable, Hashable, CaseIterable, Comparable {
    /// 0: not acknowledged, may be lost.
    case atMostOnce = 0
    /// 1: acknowledged, may arrive twice.
    case atLeastOnce = 1
    /// 2: acknowledged in two steps, arrives once.
    case exactlyOnce = 2

    /// Orders them by how much they promise.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}
