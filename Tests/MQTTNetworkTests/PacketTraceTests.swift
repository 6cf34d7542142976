import Logging
import MQTTCore
import NIOCore
import Synchronization
import Testing

@testable import MQTTNetwork

@Suite("What a trace says", .timeLimit(.minutes(2)))
struct PacketTraceTests {
    /// Keeps what is logged.
    private final class Recorder: LogHandler {
        let level: Logger.Level
        private let state = Mutex<(lines: [String], metadata: Logger.Metadata)>(([], [:]))

        init(_ level: Logger.Level) { self.level = level }

        var lines: [String] { state.withLock { $0.lines } }

        var logLevel: Logger.Level {
            get { level }
            set {}
        }

        var metadata: Logger.Metadata {
            get { state.withLock { $0.metadata } }
            set { state.withLock { $0.metadata = newValue } }
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { state.withLock { $0.metadata[key] = newValue } }
        }

        func log(event: LogEvent) { state.withLock { $0.lines.append("\(event.message)") } }
    }

    private func trace(_ recorder: Recorder, _ role: Receiver) throws -> PacketTrace {
        try #require(PacketTrace(Logger(label: "test") { _ in recorder }, role: role))
    }

    private static let fromClient: [(Packet, String)] = [
        (
            .connect(
                Connect(
                    version: .v5, keepAlive: 30, clientID: "id",
                    will: Will(topic: "w", payload: ByteBuffer(string: "secret"), qos: .atLeastOnce, retain: true),
                    username: "secret", password: ByteBuffer(string: "secret"))),
            #"CONNECT (MQTT 5.0, "id", clean start, keep alive 30 s, user name, password, will q1 r1 "w" 6 bytes)"#
        ),
        (
            .subscribe(
                Subscribe(
                    packetID: 2,
                    filters: [
                        SubscriptionRequest("a/#", options: .init(qos: .exactlyOnce)),
                        SubscriptionRequest(
                            "b",
                            options: .init(noLocal: true, retainAsPublished: true, retainHandling: .doNotSend)),
                    ])),
            #"SUBSCRIBE (m2, "a/#" q2, "b" q0 no local retain as published retain handling 2)"#
        ),
        (.unsubscribe(Unsubscribe(packetID: 3, filters: ["a\n", "b"])), #"UNSUBSCRIBE (m3, "a\n", "b")"#),
        (.pingreq, "PINGREQ"),
        (.disconnect(Disconnect(reasonCode: .disconnectWithWill)), "DISCONNECT (disconnect with will (0x04))"),
    ]

    private static let fromServer: [(Packet, String)] = [
        (.connack(ConnAck(sessionPresent: true)), "CONNACK (success (0x00), session present)"),
        (
            .connack(ConnAck(reasonCode: .notAuthorized, properties: .with { $0.reasonString = "no" })),
            #"CONNACK (not authorized (0x87), "no")"#
        ),
        (
            .suback(SubAck(packetID: 2, reasonCodes: [.grantedQoS2, .notAuthorized])),
            "SUBACK (m2, q2, not authorized (0x87))"
        ),
        (.unsuback(UnsubAck(packetID: 3, reasonCodes: [.success])), "UNSUBACK (m3, success (0x00))"),
        (.pingresp, "PINGRESP"),
        (.disconnect(Disconnect(reasonCode: .sessionTakenOver)), "DISCONNECT (session taken over (0x8E))"),
    ]

    private static let fromBoth: [(Packet, String)] = [
        (
            .publish(
                Publish(
                    topic: "a/b", payload: ByteBuffer(string: "secret"), qos: .exactlyOnce, retain: true, dup: true,
                    packetID: 7)), #"PUBLISH (d1, q2, r1, m7, "a/b", 6 bytes)"#
        ),
        (
            .publish(Publish(topic: "", payload: ByteBuffer(), properties: .with { $0.topicAlias = 4 })),
            "PUBLISH (d0, q0, r0, m0, topic alias 4, 0 bytes)"
        ),
        (.puback(Acknowledgement(packetID: 7)), "PUBACK (m7)"),
        (
            .pubrec(Acknowledgement(packetID: 7, reasonCode: .quotaExceeded)), "PUBREC (m7, quota exceeded (0x97))"
        ),
        (.pubrel(Acknowledgement(packetID: 7)), "PUBREL (m7)"),
        (.pubcomp(Acknowledgement(packetID: 7)), "PUBCOMP (m7)"),
        (
            .auth(
                Auth(
                    reasonCode: .continueAuthentication,
                    properties: .with {
                        $0.authenticationMethod = "SCRAM"
                        $0.authenticationData = ByteBuffer(string: "secret")
                    })), "AUTH (continue authentication (0x18), SCRAM)"
        ),
    ]

    @Test("Every packet is one line, sent or received, and no secret is in it", arguments: [Receiver.client, .server])
    func lines(_ role: Receiver) throws {
        let sent = Self.fromBoth + (role == .client ? Self.fromClient : Self.fromServer)
        let received = Self.fromBoth + (role == .client ? Self.fromServer : Self.fromClient)
        let recorder = Recorder(.debug)
        let trace = try trace(recorder, role)
        // All in one write.
        var bytes = ByteBuffer()
        for (packet, _) in sent { try PacketEncoder(version: .v5).encode(packet, into: &bytes) }
        trace.sent(bytes, version: .v5)
        for (packet, _) in received { trace.received(.packet(packet)) }
        #expect(recorder.lines == sent.map { "sent \($0.1)" } + received.map { "received \($0.1)" })
        #expect(!recorder.lines.joined().contains("secret"))
    }

    @Test("What is passed over for its size is said to be")
    func skipped() throws {
        let recorder = Recorder(.debug)
        var decoder = PacketDecoder(role: .client, version: .v5, maximumPayloadSize: 3)
        var bytes = ByteBuffer()
        let publish = Publish(topic: "a", payload: ByteBuffer(string: "secret"))
        try PacketEncoder(version: .v5).encode(.publish(publish), into: &bytes)
        decoder.append(bytes)
        try trace(recorder, .client).received(#require(try decoder.next()))
        #expect(recorder.lines == [#"received PUBLISH (d0, q0, r0, m0, "a", 6 bytes, too large)"#])
    }

    @Test("Where nobody wants to hear of packets there is no trace")
    func unwanted() {
        #expect(PacketTrace(nil, role: .client) == nil)
        #expect(PacketTrace(Logger(label: "test") { _ in Recorder(.info) }, role: .client) == nil)
    }
}
