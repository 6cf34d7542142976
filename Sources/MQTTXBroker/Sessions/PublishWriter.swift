import MQTTCore
import NIOCore

/// Writes a PUBLISH for one receiver straight into its output: three copies of memory, nothing allocated.
struct PublishWriter {
    var qos: QoS
    var retain = false
    var dup = false
    var packetID: UInt16 = 0
    var identifiers: [UInt32] = []
    var topicAlias: UInt16?
    var sendsTopic = true

    /// Appends the packet, unless it is larger than `limit` bytes.
    ///
    /// - Returns: whether it was written.
    func write(
        _ content: borrowing MessageContent, version: ProtocolVersion, limit: Int, into buffer: inout ByteBuffer
    ) -> Bool {
        let remaining = content.remainingLifetime
        let propertiesSize = version == .v5 ? propertiesSize(of: content, remaining) : 0
        let topicSize = sendsTopic ? content.topic.utf8.count : 0
        let payloadSize = content.payload.readableBytes
        let size =
            2 + topicSize + (qos == .atMostOnce ? 0 : 2)
            + (version == .v5 ? Self.variableSize(propertiesSize) + propertiesSize : 0) + payloadSize
        let packetSize = 1 + Self.variableSize(size) + size
        guard packetSize <= limit, size <= 268_435_455 else { return false }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: packetSize) { bytes in
            var cursor = Cursor(bytes: bytes)
            cursor.write(0x30 | (dup ? 8 : 0) | qos.rawValue << 1 | (retain ? 1 : 0))
            cursor.writeVariable(size)
            cursor.write(UInt16(truncatingIfNeeded: topicSize))
            if sendsTopic { cursor.write(content.topic) }
            if qos != .atMostOnce { cursor.write(packetID) }
            if version == .v5 { writeProperties(of: content, propertiesSize, remaining, &cursor) }
            cursor.write(content.payload)
            return packetSize
        }
        return true
    }

    private func propertiesSize(of content: borrowing MessageContent, _ remaining: UInt32?) -> Int {
        var size = content.properties.readableBytes
        if remaining != nil { size += 5 }
        if topicAlias != nil { size += 3 }
        for identifier in identifiers { size += 1 + Self.variableSize(Int(identifier)) }
        return size
    }

    private func writeProperties(
        of content: borrowing MessageContent, _ size: Int, _ remaining: UInt32?, _ cursor: inout Cursor
    ) {
        cursor.writeVariable(size)
        guard size > 0 else { return }
        if let topicAlias {
            cursor.write(PropertyID.topicAlias.rawValue)
            cursor.write(topicAlias)
        }
        if let remaining {
            cursor.write(PropertyID.messageExpiryInterval.rawValue)
            cursor.write(remaining)
        }
        for identifier in identifiers {
            cursor.write(PropertyID.subscriptionIdentifier.rawValue)
            cursor.writeVariable(Int(identifier))
        }
        cursor.write(content.properties)
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
        mutating func write(_ buffer: ByteBuffer) { buffer.withUnsafeReadableBytes { write($0) } }

        @inline(__always)
        mutating func write(_ string: String) {
            string.withBytes { write($0) }
        }
    }
}
