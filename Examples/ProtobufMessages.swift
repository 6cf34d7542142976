import MQTTX
import MQTTXProtobuf
import SwiftProtobuf

/// Messages of swift-protobuf as params, results and event data. Those used here come with the library, so that this
/// needs no generated code; messages of your own may conform to `ProtobufCodable` and go without the wrapper.
enum ProtobufMessages: Example {
    static let name = "protobuf"
    static let summary = "protobuf messages as params, results and event data"

    static func run(_ broker: BrokerAddress) async throws {
        let config = MQTTConfig(brokerHost: broker.host, brokerPort: broker.port, clientID: "calendar")
        try await MQTTClient.withConnection(config) { client in
            let rpc = try await ConventionalRPCManager(client, myTopic: "calendar", codec: .messagePack) { rpc in
                rpc.register("later") { (start: Protobuf<Google_Protobuf_Timestamp>) in
                    Protobuf(start.message + Google_Protobuf_Duration(seconds: 3600))
                }
            }
            let start = Google_Protobuf_Timestamp(seconds: 1_000_000_000)
            let end: Protobuf<Google_Protobuf_Timestamp> = try await rpc.call(
                "calendar", "later", params: Protobuf(start))
            print("an hour later:", end.message.seconds)
            try expect(end.message.seconds == 1_000_003_600, "an hour more")

            let events = EventChannelManager(client)
            let (heard, hearing) = AsyncStream.makeStream(of: Google_Protobuf_Timestamp.self)
            try await events.subscribe("calendar/events") { _, event in
                hearing.yield(try event.data.decode(message: Google_Protobuf_Timestamp.self))
            }
            try await events.publish(
                "calendar/events", EventMessage(eventType: "meeting", data: try JSONValue(start)), qos: .atLeastOnce)
            let received = await heard.first { _ in true }
            print("the meeting is at", received?.seconds ?? 0)
            try expect(received == start, "the message that was published")
            await rpc.close()
        }
    }
}
