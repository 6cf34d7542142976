import MQTTCore
import NIOCore

/// The PUBLISH properties that a server passes on unaltered (MQTT-3.3.2-4, -15, -16, -17, -18, -20).
enum ForwardedProperties {
    static func encode(_ properties: Properties) -> ByteBuffer {
        if let section = section(properties) { return section }
        guard !properties.isEmpty else { return ByteBuffer() }
        var buffer = ByteBufferAllocator().buffer(capacity: 256)
        if let format = properties.payloadFormatIndicator {
            buffer.writeMultipleIntegers(PropertyID.payloadFormatIndicator.rawValue, format)
        }
        if let contentType = properties.contentType { write(.contentType, contentType, into: &buffer) }
        if let topic = properties.responseTopic { write(.responseTopic, topic, into: &buffer) }
        if var data = properties.correlationData {
            buffer.writeMultipleIntegers(
                PropertyID.correlationData.rawValue, UInt16(truncatingIfNeeded: data.readableBytes))
            buffer.writeBuffer(&data)
        }
        properties.forEachUserProperty { name, value in
            buffer.writeInteger(PropertyID.userProperty.rawValue)
            for text in [name, value] {
                buffer.writeInteger(UInt16(truncatingIfNeeded: text.count))
                buffer.writeBytes(text)
            }
        }
        return buffer
    }

    /// The properties as they came, where all that goes no further than the server stands before the others.
    private static func section(_ properties: Properties) -> ByteBuffer? {
        guard var section = properties.section else { return nil }
        var rest = (properties.topicAlias == nil ? 0 : 1) + (properties.messageExpiryInterval == nil ? 0 : 1)
        while rest > 0 {
            switch section.getInteger(at: section.readerIndex, as: UInt8.self).flatMap(PropertyID.init) {
            case .topicAlias: section.moveReaderIndex(forwardBy: 3)
            case .messageExpiryInterval: section.moveReaderIndex(forwardBy: 5)
            default: return nil
            }
            rest -= 1
        }
        return section
    }

    private static func write(_ id: PropertyID, _ string: String, into buffer: inout ByteBuffer) {
        buffer.writeInteger(id.rawValue)
        write(string, into: &buffer)
    }

    private static func write(_ string: String, into buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt16(truncatingIfNeeded: string.utf8.count))
        buffer.writeString(string)
    }
}
