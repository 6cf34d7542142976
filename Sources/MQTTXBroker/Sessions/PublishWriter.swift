import MQTTCore
import NIOCore

/// Writes a PUBLISH for one receiver straight into its output: three copies of memory, nothing allocated.
struct PublishWriter {
    var qos: QoS
    var retain = false
    var dup = false
    var packetID: UInt16 = 0
    var identifiers: [UInt32] = []

    /// Appends the packet, unless it is larger than `limit` bytes.
    ///
    /// - Parameter sendsTopic: false where the alias is established.
    /// - Returns: whether it was written.
    func write(
        _ message: some MessageSource, alias: UInt16? = nil, sendsTopic: Bool = true, version: ProtocolVersion,
        limit: Int, into buffer: inout ByteBuffer
    ) -> Bool {
        let remaining = message.remainingLifetime
        return message.withBytes { properties, payload in
            let propertiesSize = version == .v5 ? size(of: properties, alias, remaining) : 0
            let topicSize = sendsTopic ? message.topic.utf8.count : 0
            let size =
                2 + topicSize + (qos == .atMostOnce ? 0 : 2)
                + (version == .v5 ? Self.variableSize(propertiesSize) + propertiesSize : 0) + payload.count
            let packetSize = 1 + Self.variableSize(size) + size
            guard packetSize <= limit, size <= 268_435_455 else { return false }
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: packetSize) { bytes in
                var cursor = Cursor(bytes: bytes)
                cursor.write(0x30 | (dup ? 8 : 0) | qos.rawValue << 1 | (retain ? 1 : 0))
                cursor.writeVariable(size)
                cursor.write(UInt16(truncatingIfNeeded: topicSize))
                if sendsTopic { cursor.write(message.topic) }
                if qos != .atMostOnce { cursor.write(packetID) }
                if version == .v5 { write(properties, propertiesSize, alias, remaining, &cursor) }
                cursor.write(payload)
                return packetSize
            }
            return true
        }
    }

    @inline(__always)
    private func size(of properties: UnsafeRawBufferPointer, _ alias: UInt16?, _ remaining: UInt32?) -> Int {
        var size = properties.count
        if remaining != nil { size += 5 }
        if alias != nil { size += 3 }
        for identifier in identifiers { size += 1 + Self.variableSize(Int(identifier)) }
        return size
    }

    @inline(__always)
    private func write(
        _ properties: UnsafeRawBufferPointer, _ size: Int, _ alias: UInt16?, _ remaining: UInt32?,
        _ cursor: inout Cursor
    ) {
        cursor.writeVariable(size)
        guard size > 0 else { return }
        if let alias {
            cursor.write(PropertyID.topicAlias.rawValue)
            cursor.write(alias)
        }
        if let remaining {
            cursor.write(PropertyID.messageExpiryInterval.rawValue)
            cursor.write(remaining)
        }
        for identifier in identifiers {
            cursor.write(PropertyID.subscriptionIdentifier.rawValue)
            cursor.writeVariable(Int(identifier))
        }
        cursor.write(properties)
    }

    @inline(__always)
    private static func variableSize(_ value: Int) -> Int {
        value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4
    }

    private struct Cursor {
        let bytes: UnsafeMutableRawBufferPointer
        var offset = 0

        init(bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

        @inline(__always)
        mutating func write<T: FixedWidthInteger>(_ value: T) {
            bytes.storeBytes(of: value.bigEndian, toByteOffset: offset, as: T.self)
            offset += MemoryLayout<T>.size
        }

        @inline(__always)
        mutating func writeVariable(_ value: Int) {
            var rest = value
            while rest >= 0x80 {
                write(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            write(UInt8(truncatingIfNeeded: rest))
        }

        @inline(__always)
        mutating func write(_ source: UnsafeRawBufferPointer) {
            guard source.count > 0 else { return }
            UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + source.count]).copyMemory(from: source)
            offset += source.count
        }

        @inline(__always)
        mutating func write(_ string: String) {
            string.withBytes { write($0) }
        }
    }
}
