import Foundation
import MQTTX
import TestSupport
import Testing

/// One of mosquitto's command line clients, on its way to our broker.
struct MosquittoCommand {
    let place: BrokerPlace
    let link: Link
    let version: ProtocolVersion

    /// libmosquitto speaks no WebSocket in Debian's build.
    static let links: [Link] = [.tcp, .tls, .mutualTLS, .unix]

    private var options: [String] {
        var options = ["-V", version == .v5 ? "mqttv5" : "mqttv311"]
        options += link == .unix ? ["--unix", place.socketPath] : ["-h", place.host, "-p", "\(place.port(link))"]
        if link.isTLS { options += ["--cafile", TestCertificates.path("ca.pem")] }
        if link == .mutualTLS {
            options += ["--cert", TestCertificates.path("client.pem"), "--key", TestCertificates.path("client.key")]
        }
        return options
    }

    /// Runs one to its end.
    @discardableResult
    func run(_ name: String, _ arguments: [String]) async throws -> String {
        try await ChildProcess.run(try Checkout.tool(name), options + arguments)
    }

    /// A running `mosquitto_sub`; returns when it has subscribed.
    func subscriber(_ arguments: [String]) async throws -> Subscriber {
        try await Subscriber(options + arguments)
    }

    final class Subscriber: Sendable {
        let lines = Inbox<String>()
        private let child: ChildProcess

        fileprivate init(_ arguments: [String]) async throws {
            let ready = Once<Void>()
            // By itself it writes its lines late when nobody looks on.
            child = try ChildProcess(
                try Checkout.tool("stdbuf"), ["-oL", try Checkout.tool("mosquitto_sub"), "-d"] + arguments
            ) { [lines] line in
                guard let line else { return ready.set(.failure(ChildProcess.Failure("mosquitto_sub ended"))) }
                if line.hasPrefix("Subscribed (mid") { ready(()) }
                if line.hasPrefix("> ") { lines.put(line) }
            }
            do {
                try await ready.value
            } catch {
                throw ChildProcess.Failure("\(error): \(child.tail)")
            }
        }

        func kill() async {
            child.signal(SIGKILL)
            await child.exitStatus()
        }

        func terminate() async {
            child.signal(SIGTERM)
            await child.exitStatus()
        }
    }
}

@Suite("mosquitto's command line clients and our broker", .enabled(if: Checkout.runsPeers), .timeLimit(.minutes(3)))
struct MosquittoClientTests {
    static let visits = MosquittoCommand.links.flatMap { link in ProtocolVersion.allCases.map { (link, $0) } }

    @Test("mosquitto_pub and mosquitto_sub, every QoS, small and large", arguments: visits)
    func publishAndSubscribe(_ link: Link, _ version: ProtocolVersion) async throws {
        try await CommandBroker.run { place in
            let mosquitto = MosquittoCommand(place: place, link: link, version: version)
            let subscriber = try await mosquitto.subscriber(["-t", "a/#", "-q", "2", "-F", "> %t %q %r %l"])
            for qos in 0...2 {
                try await mosquitto.run("mosquitto_pub", ["-t", "a/\(qos)", "-q", "\(qos)", "-m", "grüße"])
                #expect(await subscriber.lines.next() == "> a/\(qos) \(qos) 0 7")
            }
            try await withTemporaryDirectory { directory in
                let file = directory.appending(path: "large")
                try Data(repeating: 0x5A, count: 1 << 20).write(to: file)
                try await mosquitto.run("mosquitto_pub", ["-t", "a/large", "-q", "1", "-f", file.path])
                #expect(await subscriber.lines.next() == "> a/large 1 0 1048576")
            }
            await subscriber.terminate()
        }
    }

    @Test("Retained messages, wills, and sessions that wait", arguments: ProtocolVersion.allCases)
    func kept(_ version: ProtocolVersion) async throws {
        try await CommandBroker.run { place in
            let mosquitto = MosquittoCommand(place: place, link: .tcp, version: version)
            try await mosquitto.run("mosquitto_pub", ["-t", "state", "-m", "on", "-r", "-q", "1"])
            let retained = try await mosquitto.run(
                "mosquitto_sub", ["-t", "state", "-C", "1", "-F", "> %t %r %p", "-W", "20"])
            #expect(retained == "> state 1 on\n")

            let heir = try await mosquitto.subscriber(["-t", "wills/#", "-F", "> %t %p"])
            let victim = try await mosquitto.subscriber([
                "-t", "x", "--will-topic", "wills/v", "--will-payload", "gone",
            ])
            await victim.kill()
            #expect(await heir.lines.next() == "> wills/v gone")
            await heir.terminate()

            let session = ["-i", "kept", "-c", "-q", "1", "-t", "jobs"] + (version == .v5 ? ["-x", "300"] : [])
            try await mosquitto.run("mosquitto_sub", session + ["-E"])
            for number in 0..<3 {
                try await mosquitto.run("mosquitto_pub", ["-t", "jobs", "-q", "1", "-m", "\(number)"])
            }
            let jobs = try await mosquitto.run("mosquitto_sub", session + ["-C", "3", "-W", "20"])
            #expect(jobs == "0\n1\n2\n")
        }
    }

    @Test("mosquitto_rr gets its answer from a Swift client", arguments: MosquittoCommand.links)
    func requestResponse(_ link: Link) async throws {
        try await CommandBroker.run { place in
            try await MQTTClient.withConnection(place.config(id: "responder")) { client in
                try await client.subscribe("requests/double", qos: .atLeastOnce) { (message: MQTTMessage) in
                    guard let topic = message.properties.responseTopic, let text = message.string else { return }
                    try await client.publish(
                        topic, text + text, qos: .atLeastOnce,
                        properties: .with { $0.correlationData = message.properties.correlationData })
                }
                let mosquitto = MosquittoCommand(place: place, link: link, version: .v5)
                let answer = try await mosquitto.run(
                    "mosquitto_rr", ["-t", "requests/double", "-e", "answers/rr", "-m", "ab", "-q", "1", "-W", "20"])
                #expect(answer == "abab\n")
            }
        }
    }

    @Test("Properties of MQTT 5.0 that mosquitto_pub sets, and mosquitto_sub shows")
    func properties() async throws {
        try await CommandBroker.run { place in
            let mosquitto = MosquittoCommand(place: place, link: .tcp, version: .v5)
            let subscriber = try await mosquitto.subscriber([
                "-t", "p", "-F", "> %C %R %D %P", "-D", "subscribe", "subscription-identifier", "9",
            ])
            try await MQTTClient.withConnection(place.config()) { client in
                let inbox = try await client.inbox("p")
                try await mosquitto.run(
                    "mosquitto_pub",
                    [
                        "-t", "p", "-m", "x", "-q", "1", "-D", "publish", "content-type", "text/plain",
                        "-D", "publish", "response-topic", "r", "-D", "publish", "correlation-data", "c",
                        "-D", "publish", "user-property", "k", "v", "-D", "publish", "message-expiry-interval", "60",
                    ])
                let message = try #require(await inbox.next())
                #expect(message.properties.contentType == "text/plain")
                #expect(message.properties.messageExpiryInterval == 60)
                #expect(message.properties.userProperties == [UserProperty("k", "v")])
            }
            #expect(await subscriber.lines.next() == "> text/plain r c k:v")
            await subscriber.terminate()
        }
    }

    @Test("A client certificate says who comes, and no certificate is no entry where one is required")
    func certificateIdentity() async throws {
        try await withTemporaryDirectory { directory in
            let rules = directory.appending(path: "rules")
            try Data("user device-1\ntopic readwrite devices/device-1/#\n".utf8).write(to: rules)
            try await CommandBroker.run(["--acl-file", rules.path, "--require-client-cert"]) { place in
                let known = MosquittoCommand(place: place, link: .mutualTLS, version: .v5)
                let subscriber = try await known.subscriber(["-t", "devices/device-1/#", "-F", "> %t %p"])
                // What it calls itself does not count.
                try await known.run(
                    "mosquitto_pub", ["-u", "somebody", "-t", "devices/device-1/a", "-m", "mine", "-q", "1"])
                #expect(await subscriber.lines.next() == "> devices/device-1/a mine")
                await subscriber.terminate()
                let unknown = MosquittoCommand(place: place, link: .tls, version: .v5)
                await #expect(throws: ChildProcess.Failure.self) {
                    try await unknown.run("mosquitto_pub", ["-t", "devices/device-1/a", "-m", "x", "-q", "1"])
                }
            }
        }
    }
}
