import MQTTCore
import NIOCore
import Testing

@testable import MQTTXBroker

@Suite("Parked packets", .timeLimit(.minutes(2)))
struct ParkedPacketsTests {
    @Test("Filters and properties count, so that few large packets fill the room as many small ones do")
    func sizes() throws {
        let filters = (0..<10_000).map { SubscriptionRequest("filter/number/\($0)") }
        var subscribes = ParkedPackets()
        subscribes.append(.packet(.subscribe(Subscribe(packetID: 1, filters: filters))))
        #expect(subscribes.isFull)

        var unsubscribes = ParkedPackets()
        unsubscribes.append(.packet(.unsubscribe(Unsubscribe(packetID: 1, filters: filters.map(\.filter)))))
        #expect(unsubscribes.isFull)

        var publish = Publish(topic: "t", payload: ByteBuffer())
        publish.properties.userProperties = (0..<10_000).map { UserProperty("name \($0)", "value") }
        var publishes = ParkedPackets()
        publishes.append(.packet(.publish(publish)))
        #expect(publishes.isFull)
        #expect(publishes.popFirst() != nil)
        #expect(publishes.bytes == 0)
    }
}
