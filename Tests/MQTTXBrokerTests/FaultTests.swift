import MQTTCore
import MQTTXBroker
import MQTTXTesting
import NIOCore
import Testing

@Suite("Faults on request", .timeLimit(.minutes(2)))
struct FaultTests {
    @Test("A proxy passes everything on, stalls, and cuts")
    func proxy() async throws {
        try await TestBroker.with { broker in
            let proxy = try await broker.proxy()
            let client = try await RawClient.open(port: proxy.port)
            #expect(try await client.handshake(Connect(version: .v5, clientID: "a")).reasonCode == .success)
            try await proxy.stall()
            try await client.send(.pingreq)
            try await proxy.resume()
            #expect(try await client.receive() == .pingresp)
            try await proxy.throttle(bytesPerSecond: 1000)
            let start = ContinuousClock.now
            try await client.publish("t", String(repeating: "x", count: 300), qos: .atLeastOnce)
            try await client.send(.pingreq)
            #expect(try await client.receive() == .pingresp)
            #expect(start.duration(to: .now) > .milliseconds(200))
            try await proxy.cut()
            #expect(try await client.closed() == nil)
            try await proxy.stop()
        }
    }

    @Test("A test broker drops, refuses, closes its ears, and restarts on its port")
    func testBroker() async throws {
        try await TestBroker.with { broker in
            let client = try await RawClient.connect(broker.broker, "a")
            await broker.dropConnections(.administrativeAction)
            #expect(try await client.closed() == .administrativeAction)
            broker.refuseConnections(.serverBusy)
            let refused = try await RawClient.open(port: broker.port)
            #expect(try await refused.handshake(Connect(version: .v5, clientID: "a")).reasonCode == .serverBusy)
            broker.refuseConnections(nil)
            broker.stopAccepting()
            #expect(try await RawBytes.exchange(broker.port, [0x10]) == [])
            try await broker.restart()
            _ = try await RawClient.connect(broker.broker, "a")
            #expect(broker.broker.port == broker.port)
        }
    }
}
