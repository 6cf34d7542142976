import MQTTCore
import MQTTXProtocol
import NIOCore
import Testing

private let sample = EventMessage(
    eventType: "temp.changed", data: ["value": 25.5], source: "s1", timestamp: 1_673_456_789.123)
private let marks = [
    UserProperty("type", "event"), UserProperty("event_type", "temp.changed"),
    UserProperty("timestamp", "1673456789.123"), UserProperty("source", "s1"),
]

@Suite(.timeLimit(.minutes(2))) struct EventFormTests {
    @Test("wire §1: an event has mqttxx 3.1.2's bytes, but for spaces")
    func envelope() throws {
        let python =
            #"{"type": "event", "event_type": "temp.changed", "data": {"value": 25.5}, "timestamp": 1673456789.123, "#
            + #""source": "s1"}"#
        let (payload, properties) = try MessageCoder().encode(sample, as: .envelope)
        #expect(payload.text == python.replacing(" ", with: ""))
        #expect(properties.isEmpty)
        let incoming = try MessageCoder().decodeEvent(ByteBuffer(string: python), Properties())
        #expect(incoming.event == sample && incoming.isStructured && incoming.form == .envelope)
        let packed = try MessageCoder(.messagePack).encode(sample, as: .envelope).payload
        #expect(
            packed
                == ByteBuffer(
                    hex:
                        "85a474797065a56576656e74aa6576656e745f74797065ac74656d702e6368616e676564a46461746181a576616c7565"
                        + "cb4039800000000000a974696d657374616d70cb41d8efbb2547df3ba6736f75726365a27331"))
    }

    @Test("wire §2: a native event is its data, and has mqttxx 4.0.3's user properties")
    func native() throws {
        let (payload, properties) = try MessageCoder().encode(sample, as: .native)
        #expect(payload.text == #"{"value":25.5}"#)
        #expect(properties.userProperties == marks)
        let incoming = try MessageCoder().decodeEvent(ByteBuffer(string: #"{"value": 25.5}"#), properties)
        #expect(incoming.event == sample && incoming.isStructured && incoming.form == .native)
    }

    @Test("Events survive every form and codec", arguments: MessageForm.allCases)
    func roundTrip(_ form: MessageForm) throws {
        for coder in [MessageCoder(), MessageCoder(.messagePack), MessageCoder(XORCodec(key: 1))] {
            for data: JSONValue in [nil, 1, "text", [1, 2], ["type": "event"], ["type": "rpc_request"]] {
                var event = sample
                event.data = data
                event.extensions = ["trace": "abc"]
                if form != .native { event.unknownMembers = ["later": 1] }
                let (payload, properties) = try coder.encode(event, as: form)
                let incoming = try coder.decodeEvent(payload, properties)
                #expect(incoming.event == event && incoming.isStructured && incoming.form == form)
            }
        }
    }

    @Test("Raw values travel as they are, or wrapped when they are no object")
    func raw() throws {
        let coder = MessageCoder()
        let object = try coder.encode(rawEvent: ["a": 1], as: .dual)
        #expect(
            object.payload.text == #"{"a":1}"# && object.properties.userProperties == [UserProperty("type", "event")])
        #expect(try coder.encode(rawEvent: [1], as: .envelope).payload.text == #"{"data":[1]}"#)
        let incoming = try coder.decodeEvent(object.payload, object.properties)
        #expect(!incoming.isStructured && incoming.payload == ["a": 1] && incoming.event.data == ["a": 1])
        let foreign = try coder.decodeEvent(ByteBuffer(string: "[1,2]"), Properties())
        #expect(!foreign.isStructured && foreign.payload == [1, 2] && foreign.form == .envelope)
    }

    @Test("wire §3: properties win over the envelope; a broken timestamp does not")
    func propertiesWin() throws {
        var properties = Properties()
        properties.userProperties = [
            UserProperty("type", "event"), UserProperty("event_type", "other"), UserProperty("timestamp", "soon"),
        ]
        let payload = try MessageCoder().encode(sample, as: .envelope).payload
        let event = try MessageCoder().decodeEvent(payload, properties).event
        #expect(event.eventType == "other" && event.source == "s1" && event.timestamp == sample.timestamp)
    }

    @Test("What is not of the codec is an error")
    func malformed() {
        #expect(code { _ = try MessageCoder().decodeEvent(ByteBuffer(string: "x"), Properties()) } == .invalidJSON)
    }

    @Test("The time is now unless told otherwise, in seconds since 1970")
    func now() {
        #expect(EventMessage(eventType: "a").timestamp > 1_700_000_000)
    }
}
