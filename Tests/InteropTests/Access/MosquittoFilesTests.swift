import Foundation
import MQTTX
import MQTTXBroker
import TestSupport
import Testing

/// The same files and the same operations on mosquitto and on our broker.
@Suite("Access files mean what they mean to mosquitto", .enabled(if: Checkout.runsPeers), .timeLimit(.minutes(2)))
struct MosquittoFilesTests {
    private static let rules = """
        # For those without a name.
        topic read public/#
        topic write drop/box
        topic $SYS/broker/uptime

        user ann
        topic readwrite home/#
        topic deny home/safe/#
        topic read news/+/today
        topic write out
        topic read a topic with spaces
        topic shared/both
        topic readwrite #

        user bob
        topic read home/#
        topic deny own/bob/refused
        topic readwrite pub/+/x

        user o/slash
        topic read nothing

        user ann
        topic read later/#

        pattern readwrite own/%u/%c/#
        pattern write state/%c
        pattern read inbox/%u
        pattern deny own/%u/secret
        pattern deny home/%u-private
        pattern readwrite open/to/all
        """

    private struct Who: Sendable {
        var user: String?
        var id = "c1"
        /// A topic that this one may read.
        var end = "open/to/all"
    }

    private static let people = [
        Who(), Who(user: "ann"), Who(user: "ann", id: "c2"), Who(user: "bob"), Who(user: "bob", id: "ann"),
        Who(user: "o/slash", id: "c/3"), Who(user: "bob", id: "%u"), Who(user: "bob", id: "c+", end: "home/x"),
        Who(id: "#", end: "public/a"), Who(user: "stranger", id: "c4"),
    ]

    private static let topics = [
        "public/a", "public", "drop/box", "home/x", "home", "home/safe", "home/safe/deep", "home/ann-private",
        "home/bob-private", "news/local/today", "news/local/city/today", "out", "a topic with spaces", "shared/both",
        "own/ann/c1/x", "own/ann/c2/x", "own/bob/c1/x", "own/bob/ann/x", "own/bob/refused", "own/ann/secret",
        "own/o/slash/c/3/x", "own/bob/bob/x", "own/bob/%u/x", "own/bob/c+/x", "state/c1", "state/c2", "state/%u",
        "state/bob", "state/c/3", "inbox/ann", "inbox/bob", "inbox/o/slash", "pub/1/x", "pub/1/2/x", "later/on",
        "open/to/all", "elsewhere", "$other/a",
    ].filter { !$0.contains("+") }

    @Test("Who may publish what, and who gets what, in both versions", arguments: ProtocolVersion.allCases)
    func rules(_ version: ProtocolVersion) async throws {
        // A root that sees all, by a rule for it.
        let lines = (Self.rules + "\nuser root\ntopic readwrite #\ntopic readwrite $other/#\n")
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let names = Set(Self.people.compactMap(\.user)).union(["root"])
        let users = Dictionary(uniqueKeysWithValues: names.map { ($0, $0) })

        let options = Mosquitto.Options(users: users, allowsAnonymous: true, access: lines)
        let theirs = try await Mosquitto.run(options) { try await outcomes(at: $0.place, version) }
        var config = BrokerConfig()
        config.authorizer = try ACLFile(contents: lines.joined(separator: "\n"))
        let ours = try await Broker.run(config) { broker in
            try await outcomes(at: BrokerPlace(ports: [.tcp: broker.port]), version)
        }
        #expect(theirs.count == Self.people.count)
        for (who, (our, their)) in zip(Self.people, zip(ours, theirs)) {
            let name = "\(who.user ?? "anonymous") as \(who.id)"
            #expect(our.published.symmetricDifference(their.published) == [], "publishing, \(name)")
            #expect(our.received.symmetricDifference(their.received) == [], "receiving, \(name)")
            #expect(our.refused == their.refused, "reason codes, \(name)")
        }
    }

    private struct Outcome: Sendable {
        /// The topics of messages that went through.
        var published: Set<String> = []
        /// Those that came when somebody else sent them.
        var received: Set<String> = []
        /// Those whose acknowledgement said no.
        var refused: Set<String> = []
    }

    private func outcomes(at place: BrokerPlace, _ version: ProtocolVersion) async throws -> [Outcome] {
        try await MQTTClient.withConnection(config(Who(user: "root", id: "root"), place, version)) { root in
            let seen = try await root.inbox("#", qos: .atMostOnce)
            try await root.subscribe("$other/#") { (message: MQTTMessage) in seen.put(message) }
            var outcomes: [Outcome] = []
            for who in Self.people {
                var outcome = Outcome()
                try await MQTTClient.withConnection(config(who, place, version)) { client in
                    outcome.refused = try await publish(client)
                    outcome.published = try await Self.topics(in: seen, until: "end", from: root)
                    let received = try await subscribe(client, version)
                    for topic in Self.topics { _ = try await root.enqueue(topic, "from root", qos: .atLeastOnce) }
                    outcome.received = try await Self.topics(in: received, until: who.end, from: root)
                    // What root sent it has seen as well.
                    _ = try await Self.topics(in: seen, until: "end", from: root)
                }
                outcomes.append(outcome)
            }
            return outcomes
        }
    }

    private func config(_ who: Who, _ place: BrokerPlace, _ version: ProtocolVersion) -> MQTTConfig {
        var config = place.config(id: who.id, version: version)
        config.auth = AuthConfig(username: who.user, password: who.user)
        // Topics are handled in the order in which they come, so that an end is one.
        config.numWorkers = 1
        return config
    }

    /// Publishes to every topic; returns those that were refused.
    private func publish(_ client: MQTTClient) async throws -> Set<String> {
        var receipts: [(String, PublishReceipt)] = []
        for topic in Self.topics {
            receipts.append((topic, try await client.enqueue(topic, "from a client", qos: .atLeastOnce)))
        }
        var refused: Set<String> = []
        for (topic, receipt) in receipts {
            do {
                try await receipt.outcome.get()
            } catch let error as MQTTXError {
                #expect(error.code == .permissionDenied && error.reasonCode == .notAuthorized, "\(topic): \(error)")
                refused.insert(topic)
            }
        }
        return refused
    }

    /// Subscribes to every topic. mosquitto grants that, and leaves out what may not be read; we refuse what can't bring
    /// anything.
    private func subscribe(_ client: MQTTClient, _ version: ProtocolVersion) async throws -> Inbox<MQTTMessage> {
        let received = Inbox<MQTTMessage>()
        let refusal: ReasonCode = version == .v5 ? .notAuthorized : .unspecifiedError
        try await withThrowingTaskGroup(of: Void.self) { group in
            for topic in Self.topics {
                group.addTask {
                    do {
                        try await client.subscribe(topic, qos: .atMostOnce) { (message: MQTTMessage) in
                            received.put(message)
                        }
                    } catch let error as MQTTXError {
                        #expect(error.reasonCode == refusal, "\(topic): \(error)")
                    }
                }
            }
            try await group.waitForAll()
        }
        return received
    }

    /// What has come, up to a message that root sends now.
    private static func topics(
        in inbox: Inbox<MQTTMessage>, until end: String, from root: MQTTClient
    ) async throws -> Set<String> {
        try await root.publish(end, "end", qos: .atLeastOnce)
        var topics: Set<String> = []
        while let message = await inbox.next(), message.string != "end" || message.topic != end {
            topics.insert(message.topic)
        }
        return topics
    }

    @Test("mosquitto_passwd's files are read, with both kinds of hash", arguments: ProtocolVersion.allCases)
    func passwords(_ version: ProtocolVersion) async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appending(path: "passwords").path
            try await ChildProcess.run("touch", [file])
            let passwords = ["old": "gehe:im$", "new": "pass word ß", "same": "x"]
            for (kind, user) in [("sha512", "old"), ("sha512-pbkdf2", "new"), ("sha512-pbkdf2", "same")] {
                try await ChildProcess.run(
                    try Checkout.tool("mosquitto_passwd"), ["-H", kind, "-b", file, user, passwords[user] ?? ""])
            }
            let text = try String(contentsOfFile: file, encoding: .utf8)
            #expect(text.contains("old:$6$") && text.contains("new:$7$"))

            func codes(_ place: BrokerPlace) async throws -> [ReasonCode?] {
                var codes: [ReasonCode?] = []
                for (user, password) in [
                    ("old", "gehe:im$"), ("new", "pass word ß"), ("same", "x"), ("old", "pass word ß"), ("new", ""),
                    ("nobody", "x"), ("new", "pass word ß "), (nil, nil), ("same", nil),
                ] {
                    var config = place.config(version: version)
                    config.auth = AuthConfig(username: user, password: password)
                    do {
                        try await MQTTClient.withConnection(config) { _ in }
                        codes.append(nil)
                    } catch let error as MQTTXError {
                        codes.append(error.reasonCode)
                    }
                }
                return codes
            }
            let options = Mosquitto.Options(allowsAnonymous: false, configuration: ["password_file \(file)"])
            let theirs = try await Mosquitto.run(options) { try await codes($0.place) }
            let ours = try await CommandBroker.run(["--password-file", file, "--no-anonymous"]) { try await codes($0) }
            #expect(theirs.map { $0 == nil } == ours.map { $0 == nil })
            #expect(ours.prefix(3) == [nil, nil, nil])
            let wrong: ReasonCode = version == .v5 ? .badUserNameOrPassword : .notAuthorized
            #expect(Array(ours[3...6]) == [wrong, wrong, wrong, wrong])
        }
    }
}
