import MQTTCore
import NIOCore
import Synchronization
import Testing

@testable import MQTTXBroker

/// Event loops in an order that only chance brings about otherwise.
@Suite("A connection that leaves while another comes", .timeLimit(.minutes(2)))
struct DepartureTests {
    private func connection(of broker: Broker) -> ClientConnection {
        ClientConnection(
            broker: broker.core, loop: broker.loops[0], origin: .init(remoteAddress: nil, isLocal: true), trace: nil)
    }

    private func attach(
        _ connection: ClientConnection, to output: inout SessionOutput, isTransient: Bool = false
    ) -> Bool {
        output.attach(
            connection, version: .v5, packetLimit: 1000, receiveMaximum: 10, topicAliasMaximum: 0,
            isTransient: isTransient) != nil
    }

    /// A session, and two connections that may have it.
    private func withSession(
        _ body: (BrokerCore, BrokerLoop, Session, [ClientConnection]) async throws -> Void
    ) async throws {
        try await withBroker { broker in
            let session = Session(of: ClientIdentity(clientID: "a", username: nil), limits: broker.core.limits)
            let connections = [connection(of: broker), connection(of: broker)]
            try await body(broker.core, broker.loops[0], session, connections)
        }
    }

    private func will(_ text: String, of core: BrokerCore) throws -> PendingWill {
        let will = Will(
            topic: "will", payload: ByteBuffer(string: text), properties: .with { $0.willDelayInterval = 60 })
        return try #require(PendingWill(will, account: core.wills))
    }

    @Test("A session that ends with its connection is not entered while that connection leaves [MQTT-3.1.2-6]")
    func transient() async throws {
        try await withBroker { broker in
            let (first, second) = (connection(of: broker), connection(of: broker))
            var output = SessionOutput(limits: broker.core.limits)
            #expect(attach(first, to: &output, isTransient: true))
            #expect(output.detach(first) != nil)
            #expect(!attach(second, to: &output))
        }
    }

    @Test("A departure that is noted when the client is back already keeps no will waiting [MQTT-3.1.3-9]")
    func isBack() async throws {
        try await withSession { core, loop, session, connections in
            session.outbound.withLock { output in
                #expect(attach(connections[0], to: &output) && output.detach(connections[0]) != nil)
                #expect(attach(connections[1], to: &output))
            }
            core.departures.add(session, 1, will: try will("a", of: core), expiry: 60, broker: core, loop: loop)
            #expect(core.departures.cancel(session) == nil)
        }
    }

    @Test("A departure that is noted late does not take the place of a later one")
    func later() async throws {
        try await withSession { core, loop, session, connections in
            session.outbound.withLock { output in
                for connection in connections {
                    #expect(attach(connection, to: &output) && output.detach(connection) != nil)
                }
            }
            let (old, new) = (try will("old", of: core), try will("new", of: core))
            core.departures.add(session, 2, will: new, expiry: 60, broker: core, loop: loop)
            core.departures.add(session, 1, will: old, expiry: 60, broker: core, loop: loop)
            #expect(core.departures.cancel(session) === new)
        }
    }
}
