import MQTTCore
import NIOCore
import Testing

@testable import MQTTXClient

/// What MQTT 5.0 adds to each packet, through the public API.
@Suite("Properties (MQTT 5.0)", .timeLimit(.minutes(1)))
struct PropertiesTests {
    private let ours = [UserProperty("k", "1"), UserProperty("k", "2")]
    private let theirs = Properties.with {
        $0.reasonString = "why"
        $0.userProperties = [UserProperty("from", "broker")]
    }

    @Test("The CONNECT carries what the configuration says, the will with its delay and properties")
    func connect() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(
                broker.config {
                    $0.sessionExpiry = .seconds(90)
                    $0.receiveMaximum = 7
                    $0.maximumPacketSize = 5_000
                    $0.topicAliasMaximum = 3
                    $0.connectProperties = ours
                    $0.requestsResponseInformation = true
                    $0.requestsProblemInformation = false
                    $0.will = Will(
                        topic: "gone", payload: ByteBuffer(string: "bye"),
                        properties: .with {
                            $0.willDelayInterval = 30
                            $0.messageExpiryInterval = 60
                            $0.contentType = "text/plain"
                            $0.responseTopic = "r"
                            $0.correlationData = ByteBuffer(string: "c")
                            $0.payloadFormatIndicator = 1
                            $0.userProperties = ours
                        })
                })
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            let connect = try await connection.accept()
            try await connecting
            #expect(
                connect.properties
                    == .with {
                        $0.sessionExpiryInterval = 90
                        $0.receiveMaximum = 7
                        $0.maximumPacketSize = 5_000
                        $0.topicAliasMaximum = 3
                        $0.userProperties = ours
                        $0.requestResponseInformation = 1
                        $0.requestProblemInformation = 0
                    })
            #expect(connect.will?.properties == client.config.will?.properties)
            #expect(connect.will?.properties.willDelayInterval == 30)
            await client.disconnect()
        }
    }

    @Test("What the CONNACK says is a value, with the specification's defaults where it says nothing")
    func capabilities() async throws {
        try await ScriptedBroker.run { broker, connections in
            let client = MQTTClient(
                broker.config {
                    $0.clientID = ""
                    $0.requestsResponseInformation = true
                })
            async let connecting: Void = client.connect()
            let connection = try #require(await connections.next())
            try await connection.accept(
                .with {
                    $0.assignedClientIdentifier = "given"
                    $0.receiveMaximum = 9
                    $0.maximumQoS = 1
                    $0.retainAvailable = 0
                    $0.maximumPacketSize = 4_000
                    $0.topicAliasMaximum = 8
                    $0.wildcardSubscriptionAvailable = 0
                    $0.subscriptionIdentifierAvailable = 0
                    $0.sharedSubscriptionAvailable = 0
                    $0.serverKeepAlive = 33
                    $0.sessionExpiryInterval = 44
                    $0.responseInformation = "answers/"
                    $0.userProperties = ours
                })
            try await connecting
            let server = try #require(client.server)
            #expect(client.clientID == "given" && server.clientID == "given")
            #expect(server.receiveMaximum == 9 && server.maximumQoS == .atLeastOnce && !server.isRetainAvailable)
            #expect(server.maximumPacketSize == 4_000 && server.topicAliasMaximum == 8 && !server.areWildcardsAvailable)
            #expect(!server.areSubscriptionIdentifiersAvailable && !server.areSharedSubscriptionsAvailable)
            #expect(server.keepAlive == 33 && server.sessionExpiryInterval == 44)
            #expect(server.responseInformation == "answers/" && server.properties.userProperties == ours)
            await client.disconnect()

            async let again: Void = client.connect()
            try await #require(await connections.next()).accept(.with { $0.assignedClientIdentifier = "given" })
            try await again
            let plain = try #require(client.server)
            #expect(plain.receiveMaximum == 65_535 && plain.maximumQoS == .exactlyOnce && plain.isRetainAvailable)
            #expect(plain.topicAliasMaximum == 0 && plain.areWildcardsAvailable && plain.keepAlive == 60)
            #expect(plain.areSubscriptionIdentifiersAvailable && plain.areSharedSubscriptionsAvailable)
            await client.disconnect()
            #expect(client.server == nil)
        }
    }

    @Test("SUBSCRIBE takes options and user properties, UNSUBSCRIBE user properties, and both answers can be read")
    func subscribe() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            async let subscribing = client.subscribe(
                "a/+", qos: .exactlyOnce, noLocal: true, retainAsPublished: true, retainHandling: .doNotSend,
                userProperties: ours
            ) { _ in }
            let subscribe = try await connection.grant(theirs)
            #expect(subscribe.properties.userProperties == ours)
            #expect(subscribe.properties.subscriptionIdentifiers.count == 1)
            #expect(
                subscribe.filters == [
                    SubscriptionRequest(
                        "a/+",
                        options: SubscriptionOptions(
                            qos: .exactlyOnce, noLocal: true, retainAsPublished: true, retainHandling: .doNotSend))
                ])
            let subscription = try await subscribing
            #expect(subscription.answer?.reasonCode == .grantedQoS2)
            #expect(subscription.answer?.reasonString == "why")
            #expect(subscription.answer?.userProperties == theirs.userProperties)
            async let cancelling = subscription.cancel(userProperties: ours)
            let cancel = try await connection.nextUnsubscribe()
            #expect(cancel.properties.userProperties == ours)
            try await connection.send(
                .unsuback(
                    UnsubAck(packetID: cancel.packetID, reasonCodes: [.noSubscriptionExisted], properties: theirs)))
            #expect(try await cancelling == BrokerAnswer(.noSubscriptionExisted, theirs))
            #expect(try await client.unsubscribe("a/+") == nil)
            await client.disconnect()
        }
    }

    @Test("A refused UNSUBSCRIBE is an error, and its handlers are gone all the same")
    func unsubscribeRefused() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            async let subscribing = client.subscribe("a") { _ in }
            try await connection.grant()
            _ = try await subscribing
            let unsubscribing = Task { try await client.unsubscribe("a", userProperties: ours) }
            let unsubscribe = try await connection.nextUnsubscribe()
            #expect(unsubscribe.properties.userProperties == ours)
            try await connection.send(
                .unsuback(
                    UnsubAck(packetID: unsubscribe.packetID, reasonCodes: [.notAuthorized], properties: theirs)))
            let error = await #expect(throws: MQTTXError.self) { try await unsubscribing.value }
            #expect(error?.code == .permissionDenied && error?.properties == theirs)
            #expect(try await client.unsubscribe("a") == nil)
            await client.disconnect()
        }
    }

    @Test("A refused SUBSCRIBE brings the broker's words and user properties")
    func subscribeRefused() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let subscribing = Task { try await client.subscribe("a") { _ in } }
            let subscribe = try await connection.nextSubscribe()
            try await connection.send(
                .suback(SubAck(packetID: subscribe.packetID, reasonCodes: [.notAuthorized], properties: theirs)))
            let error = await #expect(throws: MQTTXError.self) { try await subscribing.value }
            #expect(error?.properties == theirs)
            #expect(error?.message.contains("why") == true)
            await client.disconnect()
        }
    }

    @Test("A PUBLISH carries its properties, and the broker's words come with PUBACK, PUBREC and PUBCOMP")
    func publish() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let properties = Properties.with {
                $0.payloadFormatIndicator = 1
                $0.messageExpiryInterval = 5
                $0.contentType = "text/plain"
                $0.responseTopic = "r"
                $0.correlationData = ByteBuffer(string: "c")
                $0.userProperties = ours
            }
            let one = try await client.enqueue("a", "1", qos: .atLeastOnce, properties: properties)
            let first = try await connection.nextPublish()
            #expect(first.properties == properties)
            try await connection.send(
                .puback(
                    Acknowledgement(packetID: first.packetID, reasonCode: .noMatchingSubscribers, properties: theirs)))
            guard case .delivered(let answer) = try await one.outcome else { throw ScriptedConnection.Unexpected() }
            #expect(answer == BrokerAnswer(.noMatchingSubscribers, theirs))

            let two = try await client.enqueue("a", "2", qos: .exactlyOnce)
            let second = try await connection.nextPublish()
            try await connection.send(.pubrec(Acknowledgement(packetID: second.packetID)))
            _ = try await connection.next()
            try await connection.send(.pubcomp(Acknowledgement(packetID: second.packetID, properties: theirs)))
            guard case .delivered(let completed) = try await two.outcome else { throw ScriptedConnection.Unexpected() }
            #expect(completed.reasonString == "why")

            let three = try await client.enqueue("a", "3", qos: .exactlyOnce)
            let third = try await connection.nextPublish()
            try await connection.send(
                .pubrec(Acknowledgement(packetID: third.packetID, reasonCode: .quotaExceeded, properties: theirs)))
            guard case .failed(let error) = try await three.outcome else { throw ScriptedConnection.Unexpected() }
            #expect(error.reasonCode == .quotaExceeded && error.properties == theirs)
            await client.disconnect()
        }
    }

    @Test("A message that comes has its properties, subscription identifiers among them")
    func receives() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            let log = Log<MQTTMessage>()
            async let subscribing = client.subscribe("a") { log.add($0) }
            let subscribe = try await connection.grant()
            _ = try await subscribing
            let properties = Properties.with {
                $0.responseTopic = "r"
                $0.correlationData = ByteBuffer(string: "c")
                $0.messageExpiryInterval = 9
                $0.subscriptionIdentifiers = subscribe.properties.subscriptionIdentifiers
                $0.userProperties = ours
            }
            try await connection.send(
                .publish(Publish(topic: "a", payload: ByteBuffer(string: "x"), retain: true, properties: properties)))
            let message = try #require(await log.next(1).first)
            #expect(message.properties == properties)
            #expect(message.retain && message.qos == .atMostOnce && message.packetID == nil)
            await client.disconnect()
        }
    }

    @Test("DISCONNECT carries reason, words, user properties and another session expiry")
    func disconnects() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections)
            await client.disconnect(
                reasonCode: .disconnectWithWill, sessionExpiry: .seconds(5), reasonString: "lunch", userProperties: ours
            )
            let disconnect = try await connection.nextDisconnect()
            #expect(disconnect.reasonCode == .disconnectWithWill)
            #expect(
                disconnect.properties
                    == .with {
                        $0.sessionExpiryInterval = 5
                        $0.reasonString = "lunch"
                        $0.userProperties = ours
                    })
        }
    }

    @Test("No session expiry is sent in a DISCONNECT where the CONNECT had none (MQTT-3.14.2-2)")
    func noExpiryFromZero() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.cleanSession = true }
            await client.disconnect(reasonCode: .success, sessionExpiry: .seconds(5))
            #expect(try await connection.nextDisconnect().properties.sessionExpiryInterval == nil)
        }
    }

    @Test("On MQTT 3.1.1 a disconnect with will is a close without a word")
    func silentDisconnect() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.version = .v3_1_1 }
            await client.disconnect(reasonCode: .disconnectWithWill)
            await #expect(throws: ScriptedConnection.Ended.self) { _ = try await connection.next() }
        }
    }

    @Test("The broker's DISCONNECT is told with its reason in state and notice")
    func disconnected() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, connection) = try await broker.connect(connections) { $0.reconnect.enabled = false }
            var notices = client.notices.makeAsyncIterator()
            try await connection.send(.disconnect(Disconnect(reasonCode: .serverShuttingDown, properties: theirs)))
            guard case .connectionLost(let lost) = await notices.next() else { throw ScriptedConnection.Unexpected() }
            #expect(lost.code == .connectionLost && lost.reasonCode == .serverShuttingDown && lost.properties == theirs)
            for await state in client.states {
                guard case .disconnected(let error?) = state else { continue }
                #expect(error.reasonCode == .serverShuttingDown && error.message.contains("why"))
                break
            }
        }
    }
}
