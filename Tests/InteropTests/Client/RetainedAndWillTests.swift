import Foundation
import MQTTX
import TestSupport
import Testing

@Suite("Retained messages and wills", .enabled(if: Checkout.runsPeers), .timeLimit(.minutes(2)))
struct RetainedAndWillTests {
    @Test("A retained message reaches who subscribes later, until it is cleared", arguments: BrokerKind.allCases)
    func retained(_ broker: BrokerKind) async throws {
        try await broker.run { place in
            try await MQTTClient.withConnection(place.config(id: "keeper")) { client in
                try await client.publish("state/lamp", "on", qos: .atLeastOnce, retain: true)
                let late = try await client.inbox("state/+")
                let message = try #require(await late.next())
                #expect(message.string == "on")
                #expect(message.retain)

                try await client.publish("state/lamp", "", qos: .atLeastOnce, retain: true)
                #expect(try #require(await late.next()).retain == false)
                let later = try await client.inbox("state/lamp")
                try await client.publish("state/lamp", "live", qos: .atLeastOnce)
                #expect(await later.next()?.string == "live")
            }
        }
    }

    @Test("The will of a client that says so is published", arguments: BrokerKind.allCases)
    func will(_ broker: BrokerKind) async throws {
        try await broker.run { place in
            try await MQTTClient.withConnection(place.config(id: "heir")) { heir in
                let inbox = try await heir.inbox("wills/#")
                var config = place.config(id: "testator")
                config.will = Will(topic: "wills/swift", payload: ByteBuffer(string: "gone"), qos: .atLeastOnce)

                let quiet = MQTTClient(config)
                try await quiet.connect()
                await quiet.disconnect()

                let loud = MQTTClient(config)
                try await loud.connect()
                await loud.disconnect(reasonCode: .disconnectWithWill)
                let message = try #require(await inbox.next())
                #expect(message.topic == "wills/swift")
                #expect(message.string == "gone")
                // The quiet one's would have come first.
                try await heir.publish("wills/end", "end", qos: .atLeastOnce)
                #expect(await inbox.next()?.topic == "wills/end")
            }
        }
    }

    @Test("The will of a killed mosquitto_sub reaches a Swift client", arguments: BrokerKind.allCases)
    func willOfOthers(_ broker: BrokerKind) async throws {
        try await broker.run { place in
            try await MQTTClient.withConnection(place.config(id: "heir")) { heir in
                let inbox = try await heir.inbox("wills/#")
                let ready = Once<Void>()
                // By itself it writes its lines late when nobody looks on.
                let victim = try ChildProcess(
                    "/usr/bin/env",
                    [
                        "stdbuf", "-oL", "mosquitto_sub", "-d", "-p", "\(place.port())", "-t", "x", "--will-topic",
                        "wills/c",
                        "--will-payload", "lost", "--will-qos", "1", "-u", place.username, "-P", place.username,
                    ]
                ) { line in
                    if line?.contains("received SUBACK") == true { ready(()) }
                    if line == nil { ready.set(.failure(ChildProcess.Failure("mosquitto_sub ended"))) }
                }
                try await ready.value
                victim.signal(SIGKILL)
                #expect(await inbox.next()?.string == "lost")
                await victim.exitStatus()
            }
        }
    }
}
