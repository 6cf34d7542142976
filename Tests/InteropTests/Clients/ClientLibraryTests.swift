import Foundation
import MQTTX
import TestSupport
import Testing

/// A library, a version and a link: how somebody else's client comes to our broker.
struct Visit: Sendable, CustomTestStringConvertible {
    let library: ClientLibrary
    let version: ProtocolVersion
    var link = Link.tcp

    var testDescription: String { "\(library.testDescription), \(version), \(link)" }

    static let overTCP = ClientLibrary.complete.flatMap { library in
        ProtocolVersion.allCases.map { Visit(library: library, version: $0) }
    }
    static let all = ClientLibrary.complete.flatMap(over)
    static let aws = over(.awscrt)
    static let v5 = overTCP.filter { $0.version == .v5 }

    /// On every link and in both versions.
    private static func over(_ library: ClientLibrary) -> [Visit] {
        library.links.flatMap { link in
            ProtocolVersion.allCases.map { Visit(library: library, version: $0, link: link) }
        }
    }

    /// Their client, not connected yet, and ours, on `mqttxx broker`.
    func run(_ options: [String] = [], _ body: (MQTTPeer, MQTTClient) async throws -> Void) async throws {
        try await CommandBroker.run(options) { place in
            try await MQTTPeer.run(library, version, to: place, over: link) { theirs in
                var config = place.config(id: "ours")
                config.maxPayloadSize = 4 << 20
                try await MQTTClient.withConnection(config) { ours in try await body(theirs, ours) }
            }
        }
    }
}

@Suite("Other people's clients and our broker", .enabled(if: Checkout.runsPeers), .timeLimit(.minutes(3)))
struct ClientLibraryTests {
    @Test("Messages of every QoS and size go both ways over every transport", arguments: Visit.all)
    func everyTransport(_ visit: Visit) async throws {
        try await visit.run { theirs, ours in
            #expect(try await theirs.connect(id: "theirs").code == 0)
            #expect(try await theirs.subscribe("from/ours") == [2])
            let inbox = try await ours.inbox("from/theirs", qos: .exactlyOnce)
            for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] {
                for payload in [MQTTPeer.Payload.text(""), .text("ß 漢字 😀"), .pattern(size: 1 << 20)] {
                    #expect(try await theirs.publish("from/theirs", payload, qos: qos) == 0)
                    let outward = try #require(await inbox.next())
                    let isSame = outward.payload == payload.bytes
                    #expect(isSame && outward.qos == qos, "\(payload)")

                    try await ours.publish("from/ours", payload.bytes, qos: qos)
                    let inward = try #require(await theirs.next())
                    #expect(inward.payload == payload && inward.qos == Int(qos.rawValue))
                }
            }
            try await theirs.disconnect()
        }
    }

    @Test("AWS's client, written in C, sends and gets messages over every transport", arguments: Visit.aws)
    func aws(_ visit: Visit) async throws {
        try await visit.run { theirs, ours in
            #expect(try await theirs.connect(id: "theirs").code == 0)
            #expect(try await theirs.subscribe(MQTTPeer.Filter("from/ours/#", qos: .atLeastOnce)) == [1])
            let inbox = try await ours.inbox("from/theirs/#", qos: .exactlyOnce)
            let mark: JSONObject = visit.version == .v5 ? ["UserProperty": [["k", "ß"]]] : [:]
            // More topics than it has room for aliases.
            for number in 0..<12 {
                let qos: QoS = number % 2 == 0 ? .atMostOnce : .atLeastOnce
                let payload: MQTTPeer.Payload = number < 10 ? .text("\(number)") : .pattern(size: 1 << 20)
                let topic = "\(number % 5)"
                #expect(try await theirs.publish("from/theirs/" + topic, payload, qos: qos, properties: mark) == 0)
                let outward = try #require(await inbox.next())
                #expect(outward.topic == "from/theirs/" + topic && outward.qos == qos)
                #expect(outward.payload == payload.bytes)
                #expect(outward.properties.userProperties == (mark.isEmpty ? [] : [UserProperty("k", "ß")]))

                try await ours.publish("from/ours/" + topic, payload.bytes, qos: qos)
                let inward = try #require(await theirs.next())
                #expect(inward.topic == "from/ours/" + topic && inward.qos == Int(qos.rawValue))
                #expect(inward.payload == payload)
            }
            try await theirs.disconnect()
        }
    }

    @Test("Retained messages reach them and come from them, until they are cleared", arguments: Visit.overTCP)
    func retained(_ visit: Visit) async throws {
        try await visit.run { theirs, ours in
            try await ours.publish("state/ours", "on", qos: .atLeastOnce, retain: true)
            #expect(try await theirs.connect().code == 0)
            try await theirs.publish("state/theirs", .text("off"), retain: true)
            try await theirs.subscribe("state/#")
            let kept = [try #require(await theirs.next()), try #require(await theirs.next())]
            #expect(Set(kept.map(\.payload)) == [.text("on"), .text("off")])
            #expect(kept.map(\.retain) == [true, true])
            try await ours.publish("state/ours", "", qos: .atLeastOnce, retain: true)
            let live = try #require(await theirs.next())
            #expect(live.text == "" && !live.retain)
            try await theirs.unsubscribe("state/#")

            let inbox = try await ours.inbox("state/#")
            let message = try #require(await inbox.next())
            #expect(message.topic == "state/theirs" && message.string == "off" && message.retain)
            try await theirs.disconnect()
        }
    }

    @Test("The will of a client that goes without a word is published, with its properties", arguments: Visit.overTCP)
    func will(_ visit: Visit) async throws {
        try await visit.run { theirs, ours in
            let inbox = try await ours.inbox("wills/#", qos: .exactlyOnce)
            let will = Will(topic: "wills/theirs", payload: ByteBuffer(string: "gone"), qos: .exactlyOnce, retain: true)
            let properties: JSONObject = ["ContentType": "text/plain", "UserProperty": [["k", "v"]]]
            for isOrderly in [true, false] {
                #expect(try await theirs.connect(will: will, willProperties: properties).code == 0)
                if isOrderly { try await theirs.disconnect() } else { try await theirs.abort() }
            }
            let message = try #require(await inbox.next())
            #expect(message.string == "gone" && message.qos == .exactlyOnce)
            if visit.version == .v5 {
                #expect(message.properties.contentType == "text/plain")
                #expect(message.properties.userProperties == [UserProperty("k", "v")])
            }
            // A second one, of the orderly client, would have come before this.
            try await ours.publish("wills/end", "end")
            #expect(await inbox.next()?.topic == "wills/end")
        }
    }

    @Test("A session goes on where it was, with what came meanwhile in order", arguments: Visit.overTCP)
    func session(_ visit: Visit) async throws {
        try await visit.run { theirs, ours in
            let expiry: JSONObject = visit.version == .v5 ? ["SessionExpiryInterval": 300] : [:]
            let first = try await theirs.connect(id: "kept", clean: false, properties: expiry)
            #expect(first.code == 0 && !first.sessionPresent)
            try await theirs.subscribe("kept/+")
            try await theirs.abort()
            for number in 0..<10 {
                try await ours.publish("kept/a", "\(number)", qos: number % 2 == 0 ? .atLeastOnce : .exactlyOnce)
            }
            let second = try await theirs.connect(id: "kept", clean: false, properties: expiry)
            #expect(second.code == 0 && second.sessionPresent)
            // Paho hands out a message of QoS 2 when it is released, and so behind later ones of QoS 1.
            var received: [Int: [String?]] = [:]
            for _ in 0..<10 {
                let message = try #require(await theirs.next())
                received[message.qos, default: []].append(message.text)
            }
            #expect(received == [1: ["0", "2", "4", "6", "8"], 2: ["1", "3", "5", "7", "9"]])
            try await theirs.disconnect()

            let third = try await theirs.connect(id: "kept", clean: true)
            #expect(third.code == 0 && !third.sessionPresent)
            try await theirs.disconnect()
        }
    }

    @Test("MQTT 5.0 properties go both ways", arguments: Visit.v5)
    func properties(_ visit: Visit) async throws {
        try await visit.run { theirs, ours in
            #expect(try await theirs.connect().code == 0)
            try await theirs.subscribe("a/#", properties: ["SubscriptionIdentifier": 7])
            let inbox = try await ours.inbox("b/#")
            let members: JSONObject = [
                "ContentType": "application/json", "ResponseTopic": "answers/here", "CorrelationData": "12",
                "MessageExpiryInterval": 3600, "UserProperty": [["k", "1"], ["k", "ß"]],
            ]
            let sent = Properties.with {
                $0.contentType = "application/json"
                $0.responseTopic = "answers/here"
                $0.correlationData = ByteBuffer(string: "12")
                $0.messageExpiryInterval = 3600
                $0.userProperties = [UserProperty("k", "1"), UserProperty("k", "ß")]
            }
            #expect(try await theirs.publish("b/x", .text(""), properties: members) == 0)
            let received = try #require(await inbox.next()).properties
            #expect(received.contentType == sent.contentType && received.responseTopic == sent.responseTopic)
            #expect(received.correlationData == sent.correlationData)
            #expect(received.messageExpiryInterval == 3600)
            #expect(received.userProperties == sent.userProperties)

            try await ours.publish("a/x", "1", qos: .atLeastOnce, properties: sent)
            let message = try #require(await theirs.next())
            for member in members {
                #expect(message.properties[member.key] == member.value, "\(member.key)")
            }
            #expect(message.properties["SubscriptionIdentifier"] == [7])
            try await theirs.disconnect()
        }
    }

    @Test("MQTT 5.0 subscription options hold", arguments: Visit.v5)
    func subscriptionOptions(_ visit: Visit) async throws {
        try await visit.run { theirs, ours in
            #expect(try await theirs.connect().code == 0)
            try await ours.publish("kept/a", "old", qos: .atLeastOnce, retain: true)
            // Neither what it sends itself, nor what was retained before; retained as it was published.
            try await theirs.subscribe(
                MQTTPeer.Filter("kept/#", noLocal: true, retainAsPublished: true, retainHandling: 2))
            try await theirs.publish("kept/a", .text("mine"))
            try await ours.publish("kept/a", "new", qos: .atLeastOnce, retain: true)
            let message = try #require(await theirs.next())
            #expect(message.text == "new" && message.retain)
            // Retained messages for a new subscription alone.
            try await theirs.subscribe(MQTTPeer.Filter("kept/#", retainHandling: 1))
            try await ours.publish("kept/b", "live", qos: .atLeastOnce)
            #expect(await theirs.next()?.text == "live")
            try await theirs.unsubscribe("kept/#")
            try await theirs.subscribe(MQTTPeer.Filter("kept/#", retainHandling: 1))
            #expect(await theirs.next()?.text == "new")
            try await theirs.disconnect()
        }
    }

    @Test("A shared subscription divides its messages between them and us", arguments: Visit.v5)
    func shared(_ visit: Visit) async throws {
        try await visit.run { theirs, ours in
            #expect(try await theirs.connect().code == 0)
            try await theirs.subscribe("$share/workers/jobs")
            let all = Inbox<(isTheirs: Bool, text: String?)>()
            try await ours.subscribe("$share/workers/jobs") { (message: MQTTMessage) in
                all.put((isTheirs: false, text: message.string))
            }
            let jobs = try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while let message = await theirs.next() { all.put((isTheirs: true, text: message.text)) }
                }
                for number in 0..<20 { try await ours.publish("jobs", "\(number)", qos: .atLeastOnce) }
                defer { group.cancelAll() }
                return await all.next(20)
            }
            #expect(Set(jobs.map(\.text)) == Set((0..<20).map { "\($0)" }))
            #expect(Set(jobs.map(\.isTheirs)) == [true, false])
            try await theirs.disconnect()
        }
    }

    @Test("A wrong password is refused as the version wants it", arguments: Visit.overTCP)
    func refused(_ visit: Visit) async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appending(path: "passwords").path
            try await ChildProcess.run("touch", [file])
            try await ChildProcess.run(try Checkout.tool("mosquitto_passwd"), ["-b", file, "anna", "anna"])
            try await visit.run(["--password-file", file, "--no-anonymous"]) { theirs, _ in
                let code = visit.version == .v5 ? 0x86 : 5
                // Paho knows the codes of 5.0 alone, and translates.
                let known = visit.library == .paho ? [code, 0x87] : [code]
                #expect(known.contains(try await theirs.connect(username: "anna", password: "wrong").code))
                #expect(try await theirs.connect(username: "anna", password: "anna").code == 0)
                try await theirs.disconnect()
            }
        }
    }
}
