import NIOCore
import Testing

@testable import MQTTCore

@Suite("User properties of a message, which stay as they came", .timeLimit(.minutes(2)))
struct UserPropertyTests {
    /// A PUBLISH to `t` with these bytes of properties.
    private static func publish(_ properties: [UInt8], _ role: Receiver = .client) throws -> Properties {
        var bytes = ByteBuffer(bytes: [0x30, UInt8(4 + properties.count), 0, 1, UInt8(ascii: "t")])
        bytes.writeInteger(UInt8(properties.count))
        bytes.writeBytes(properties)
        guard case .publish(let publish)? = try decoded([bytes], role, .v5).first else { throw Unexpected() }
        return publish.properties
    }

    private struct Unexpected: Error {}

    private static func property(_ name: String, _ value: String) -> [UInt8] {
        [0x26, 0, UInt8(name.utf8.count)] + name.utf8 + [0, UInt8(value.utf8.count)] + value.utf8
    }

    private static let contentType: [UInt8] = [0x03, 0, 1, UInt8(ascii: "c")]
    private static let format: [UInt8] = [0x01, 1]

    @Test(
        "They are read in their order, whatever stands between them, and none is a property of another kind",
        arguments: [
            property("a", "1") + property("b", "") + property("a", "2"),
            format + property("a", "1") + property("b", "") + property("a", "2") + contentType,
            property("a", "1") + format + property("b", "") + contentType + property("a", "2"),
            property("a", "1") + format + property("b", "") + property("a", "2"),
        ])
    func order(bytes: [UInt8]) throws {
        for role in [Receiver.client, .server] {
            let properties = try Self.publish(bytes, role)
            let values = [UserProperty("a", "1"), UserProperty("b", ""), UserProperty("a", "2")]
            #expect(properties.userProperties == values)
            #expect(properties.userProperty("a") == "1")
            #expect(properties.userProperty("b") == "")
            #expect(properties.userProperty("c") == nil)
            // Equal to those that were set, and back to bytes.
            var set = Properties.with { $0.userProperties = values }
            set.contentType = properties.contentType
            set.payloadFormatIndicator = properties.payloadFormatIndicator
            #expect(properties == set)
            let packet = Packet.publish(Publish(topic: "t", payload: ByteBuffer(), properties: properties))
            let again = Packet.publish(Publish(topic: "t", payload: ByteBuffer(), properties: set))
            #expect(try encoded(packet, .v5) == encoded(again, .v5))
        }
    }

    @Test("What is done to one value is not seen by another that has the same")
    func changes() throws {
        let properties = try Self.publish(Self.property("a", "1"))
        var changed = properties
        changed.userProperties.append(UserProperty("b", "2"))
        changed.contentType = "c"
        #expect(properties.userProperties == [UserProperty("a", "1")])
        #expect(properties.contentType == nil)
        #expect(changed.userProperties == [UserProperty("a", "1"), UserProperty("b", "2")])
        changed.userProperties = []
        changed.contentType = nil
        #expect(changed.isEmpty)
        #expect(properties != changed)
    }

    @Test(
        "Names and values are checked as all strings are (MQTT-1.5.4-1, -2)",
        arguments: [
            ([0x26, 0, 1, 0xFF, 0, 0], ErrorCode.invalidUTF8), ([0x26, 0, 1, 0x61, 0, 1, 0xC3], .invalidUTF8),
            ([0x26, 0, 1, 0, 0, 0], .invalidUTF8), ([0x26, 0, 0, 0, 1, 0], .invalidUTF8),
            ([0x26, 0, 3, 0xED, 0xA0, 0x80, 0, 0], .invalidUTF8), ([0x26, 0, 1, 0x61, 0], .protocolViolation),
            ([0x26, 0, 1, 0x61], .protocolViolation), ([0x26], .protocolViolation),
        ] as [([UInt8], ErrorCode)])
    func strings(bytes: [UInt8], code: ErrorCode) throws {
        let error = #expect(throws: MQTTXError.self) { try Self.publish(bytes) }
        #expect(error?.code == code && error?.reasonCode == .malformedPacket)
    }

    @Test("Text beyond ASCII comes as it was")
    func text() throws {
        let properties = try Self.publish(Self.property("ключ", "значение 🚀"))
        #expect(properties.userProperties == [UserProperty("ключ", "значение 🚀")])
    }

    @Test("In memory of their own they are the same")
    func unshared() throws {
        let data: [UInt8] = [0x09, 0, 2, 7, 8]
        let properties = try Self.publish(Self.property("a", "1") + data + Self.property("b", "2"))
        #expect(properties.unshared() == properties)
        #expect(properties.unshared().correlationData == ByteBuffer(bytes: [7, 8]))
        #expect(Properties().unshared().isEmpty)
    }

    @Test("In memory of their own they let go of what they were read into")
    func memory() throws {
        let property = Self.property("a", "1") + [0x09, 0, 1, 7]
        var bytes = ByteBuffer(bytes: [0x30, UInt8(4 + property.count), 0, 1, UInt8(ascii: "t"), UInt8(property.count)])
        bytes.writeBytes(property)
        let size = bytes.storageCapacity
        func unshared() throws -> Properties {
            guard case .publish(let publish)? = try decoded([bytes], .client, .v5).first else { throw Unexpected() }
            #expect(publish.properties.sharedCapacity == size)
            return publish.properties.unshared()
        }
        let properties = try unshared()
        #expect(bytes.modifyIfUniquelyOwned { $0.clear() } != nil)
        #expect(properties.userProperties == [UserProperty("a", "1")])
        #expect(properties.correlationData == ByteBuffer(bytes: [7]))
    }

    @Test("Those that came may follow those that were set")
    func mixed() {
        var properties = UserProperties([UserProperty("a", "1")])
        properties.append(encoded: ByteBuffer(bytes: Self.property("b", "2") + Self.property("c", "3")))
        #expect(properties.array == [UserProperty("a", "1"), UserProperty("b", "2"), UserProperty("c", "3")])
    }

    @Test("Those of an acknowledgement, which programs keep, hold no read buffer")
    func acknowledgements() throws {
        let property = Self.property("a", "1")
        let bytes = ByteBuffer(bytes: [0x40, UInt8(4 + property.count), 0, 1, 0, UInt8(property.count)] + property)
        guard case .puback(let puback)? = try decoded([bytes], .client, .v5).first else { throw Unexpected() }
        #expect(puback.properties.userProperties == [UserProperty("a", "1")])
        #expect(puback.properties.storage?.isShared == false)
    }

    @Test("Ten thousand, each apart from the next, take time in proportion")
    func many() throws {
        // Property length 10,000 × 7 bytes; every second property is a subscription identifier, as servers may repeat it.
        let count = 10_000
        var section = ByteBuffer()
        for _ in 0..<count { section.writeBytes([0x26, 0, 0, 0, 0, 0x0B, 1]) }
        var bytes = ByteBuffer(bytes: [0x30])
        func writeLength(_ length: Int) {
            var rest = length
            repeat {
                bytes.writeInteger(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
                rest >>= 7
            } while rest > 0
        }
        writeLength(3 + 3 + section.readableBytes)
        bytes.writeBytes([0, 1, UInt8(ascii: "t")])
        writeLength(section.readableBytes)
        bytes.writeBuffer(&section)
        var publish: Publish?
        let took = try ContinuousClock().measure {
            guard case .publish(let one)? = try decoded([bytes], .client, .v5).first else { throw Unexpected() }
            publish = one
        }
        #expect(publish?.properties.userProperties.count == count)
        #expect(publish?.properties.subscriptionIdentifiers.count == count)
        #expect(took < .seconds(1))
    }
}

@Suite("Subscription identifiers, of which one takes no memory", .timeLimit(.minutes(2)))
struct SubscriptionIdentifierTests {
    @Test(
        "They are what they were made of",
        arguments: [[], [7], [7, 8, 9], [0], [0, 7], [7, 0], [0, 0]] as [[UInt32]])
    func arrays(identifiers: [UInt32]) {
        let list = SubscriptionIdentifiers(identifiers)
        #expect(list.array == identifiers)
        #expect(list.count == identifiers.count)
        #expect(list.isEmpty == identifiers.isEmpty)
        #expect(identifiers.allSatisfy { list.contains($0) })
        #expect(!list.contains(5))
        var appended = SubscriptionIdentifiers()
        for identifier in identifiers { appended.append(identifier) }
        #expect(appended.array == identifiers)
    }
}
