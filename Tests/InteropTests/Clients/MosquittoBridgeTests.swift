import Foundation
import MQTTX
import TestSupport
import Testing

@Suite("mosquitto as a bridge to our broker", .enabled(if: Checkout.runsPeers), .timeLimit(.minutes(2)))
struct MosquittoBridgeTests {
    @Test(
        "It carries messages both ways, each once, and tells whether it is there", arguments: ["mqttv311", "mqttv50"])
    func bothWays(version: String) async throws {
        try await CommandBroker.run { ours in
            try await MQTTClient.withConnection(ours.config(id: "near")) { near in
                let state = try await near.inbox("$SYS/broker/connection/+/state")
                let here = try await near.inbox("#")
                var options = Mosquitto.Options()
                options.configuration = [
                    "connection bridge", "address \(ours.host):\(ours.port(.tcp))", "topic # both 1",
                    "bridge_protocol_version \(version)", "restart_timeout 1",
                ]
                try await Mosquitto.run(options) { theirs in
                    #expect(await state.next()?.string == "1")
                    try await MQTTClient.withConnection(theirs.place.config(id: "far")) { far in
                        let there = try await far.inbox("#")
                        // What comes through shows that the bridge has subscribed as well.
                        try await far.publish("from/far", "1", qos: .atLeastOnce)
                        #expect(await here.next()?.topic == "from/far")
                        try await near.publish("from/near", "2", qos: .atLeastOnce)
                        // Topics have no order among each other.
                        #expect(await there.next(2).map(\.topic).sorted() == ["from/far", "from/near"])
                        #expect(await here.next()?.topic == "from/near")
                        // Nothing came twice before that.
                        try await near.publish("end", "3", qos: .atLeastOnce)
                        #expect(await there.next()?.topic == "end")
                        #expect(await here.next()?.topic == "end")
                    }
                }
                #expect(await state.next()?.string == "0")
            }
        }
    }
}
