/// The first two to five bytes of every packet (section 2.1).
struct FixedHeader {
    let type: PacketType
    /// The lower four bits of the first byte.
    let flags: UInt8
    /// How many bytes the header itself takes.
    let length: Int
    /// How many bytes follow it.
    let remainingLength: Int

    var packetSize: Int { length + remainingLength }

    /// Whether the remaining length is written as short as can be, as MQTT 5.0 demands (MQTT-1.5.5-1).
    var isShortest: Bool { length == 1 + VariableByteInteger.size(of: remainingLength) }

    /// Reads the header, or returns nil when it isn't complete yet. The first byte is checked as soon as it is there.
    @inline(__always)
    static func read(_ bytes: UnsafeRawBufferPointer) throws(MQTTXError) -> FixedHeader? {
        guard bytes.count > 0 else { return nil }
        let first = bytes[0]
        guard let type = PacketType(rawValue: first >> 4) else { throw .malformed("packet type 0 is reserved") }
        let flags = first & 0x0F
        guard type == .publish || flags == requiredFlags(type) else {
            throw .malformed("\(type) has the fixed header flags \(flags)")
        }
        guard bytes.count > 1 else { return nil }
        let second = bytes[1]
        if second < 0x80 { return FixedHeader(type: type, flags: flags, length: 2, remainingLength: Int(second)) }
        return try readLong(bytes, type: type, flags: flags)
    }

    private static func readLong(
        _ bytes: UnsafeRawBufferPointer, type: PacketType, flags: UInt8
    ) throws(MQTTXError) -> FixedHeader? {
        var value = Int(bytes[1] & 0x7F)
        for index in 2...4 {
            guard bytes.count > index else { return nil }
            let byte = bytes[index]
            value |= Int(byte & 0x7F) << (7 * (index - 1))
            if byte < 0x80 {
                return FixedHeader(type: type, flags: flags, length: index + 1, remainingLength: value)
            }
        }
        throw .malformed("remaining length is longer than four bytes")
    }

    /// The flags that every packet but PUBLISH must have (section 2.1.3, MQTT-2.1.3-1).
    @inline(__always)
    static func requiredFlags(_ type: PacketType) -> UInt8 {
        switch type {
        case .pubrel, .subscribe, .unsubscribe: 0b0010
        default: 0
        }
    }
}
