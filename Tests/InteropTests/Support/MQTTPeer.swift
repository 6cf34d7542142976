import Foundation
import MQTTX
import Synchronization
import TestSupport
import Testing

/// A client library of somebody else's.
enum ClientLibrary: String, CustomTestStringConvertible {
    case paho, gmqtt, awscrt

    /// Those that know every QoS; AWS's library knows no QoS 2.
    static let complete: [ClientLibrary] = [.paho, .gmqtt]

    var testDescription: String {
        switch self {
        case .paho: "Paho for Python"
        case .gmqtt: "gmqtt"
        case .awscrt: "AWS's common runtime"
        }
    }

    var links: [Link] {
        switch self {
        case .paho: Link.allCases
        case .gmqtt: [.tcp, .tls, .mutualTLS]
        case .awscrt: [.tcp, .tls, .mutualTLS, .webSocket, .secureWebSocket]
        }
    }
}

/// An MQTT client built on another library, in a process of its own, that does what it is told.
struct MQTTPeer: Sendable {
    /// A message as the other library hands it out.
    struct Message: Sendable {
        let topic: String
        let payload: Payload
        let qos: Int
        let retain: Bool
        let properties: JSONValue

        var text: String? { if case .text(let text) = payload { text } else { nil } }
    }

    /// What a message carries.
    enum Payload: Sendable, Hashable {
        case text(String)
        /// So many bytes, by a rule that both sides know.
        case pattern(size: Int)

        var bytes: ByteBuffer {
            switch self {
            case .text(let text): return ByteBuffer(string: text)
            case .pattern(let size):
                let block = (0..<256).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                var bytes = ByteBuffer()
                while bytes.readableBytes < size { bytes.writeBytes(block.prefix(size - bytes.readableBytes)) }
                return bytes
            }
        }

        fileprivate var members: JSONObject {
            switch self {
            case .text(let text): ["payload": .string(Data(text.utf8).base64EncodedString())]
            case .pattern(let size): ["size": .int(Int64(size))]
            }
        }
    }

    struct Answer {
        let code: Int
        let sessionPresent: Bool
    }

    let version: ProtocolVersion
    private let place: BrokerPlace
    private let link: Link
    private let process: PeerProcess

    /// Runs one for as long as the body runs; it is not connected yet.
    static func run<Result>(
        _ library: ClientLibrary, _ version: ProtocolVersion, to place: BrokerPlace, over link: Link = .tcp,
        _ body: (MQTTPeer) async throws -> Result
    ) async throws -> Result {
        try await PeerProcess.run("peer_\(library.rawValue).py", in: "clients") { process in
            try await body(MQTTPeer(version: version, place: place, link: link, process: process))
        }
    }

    private var versionName: JSONValue { version == .v5 ? "5.0" : "3.1.1" }

    func connect(
        id: String = "", clean: Bool = true, keepAlive: Int = 60, username: String? = nil, password: String? = nil,
        will: Will? = nil, willProperties: JSONObject = [:], properties: JSONObject = [:]
    ) async throws -> Answer {
        var command: JSONObject = [
            "version": versionName, "client_id": .string(id), "clean": .bool(clean),
            "keepalive": .int(Int64(keepAlive)), "properties": .object(properties),
            "transport": link == .unix ? "unix" : link.isWebSocket ? "websockets" : "tcp",
            "host": .string(link == .unix ? place.socketPath : place.host),
            "port": .int(Int64(max(1, place.port(link)))),
        ]
        if link.isTLS {
            var tls: JSONObject = ["ca": .string(TestCertificates.path("ca.pem"))]
            if link == .mutualTLS {
                tls["cert"] = .string(TestCertificates.path("client.pem"))
                tls["key"] = .string(TestCertificates.path("client.key"))
            }
            command["tls"] = .object(tls)
        }
        if let username { command["username"] = .string(username) }
        if let password { command["password"] = .string(password) }
        if let will {
            var members = Payload.text(String(buffer: will.payload)).members
            members["topic"] = .string(will.topic)
            members["qos"] = .int(Int64(will.qos.rawValue))
            members["retain"] = .bool(will.retain)
            members["properties"] = .object(willProperties)
            command["will"] = .object(members)
        }
        let answer = try await process.command("connect", command)
        return Answer(
            code: answer["code"].intValue ?? -1, sessionPresent: answer["session_present"].boolValue ?? false)
    }

    struct Filter: ExpressibleByStringLiteral {
        var filter: String
        var qos = QoS.exactlyOnce
        var noLocal = false
        var retainAsPublished = false
        var retainHandling = 0

        init(stringLiteral value: String) { filter = value }

        init(
            _ filter: String, qos: QoS = .exactlyOnce, noLocal: Bool = false, retainAsPublished: Bool = false,
            retainHandling: Int = 0
        ) {
            self.filter = filter
            self.qos = qos
            self.noLocal = noLocal
            self.retainAsPublished = retainAsPublished
            self.retainHandling = retainHandling
        }
    }

    /// - Returns: the codes of the SUBACK.
    @discardableResult
    func subscribe(_ filters: Filter..., properties: JSONObject = [:]) async throws -> [Int] {
        let list = filters.map { filter -> JSONValue in
            [
                "filter": .string(filter.filter), "qos": .int(Int64(filter.qos.rawValue)),
                "no_local": .bool(filter.noLocal), "retain_as_published": .bool(filter.retainAsPublished),
                "retain_handling": .int(Int64(filter.retainHandling)),
            ]
        }
        let codes = try await process.command(
            "subscribe", ["version": versionName, "filters": .array(list), "properties": .object(properties)])
        return codes.arrayValue?.compactMap(\.intValue) ?? []
    }

    func unsubscribe(_ filter: String) async throws {
        try await process.command("unsubscribe", ["filters": .array([.string(filter)])])
    }

    /// Returns when it is acknowledged, with the acknowledgement's code.
    @discardableResult
    func publish(
        _ topic: String, _ payload: Payload, qos: QoS = .atLeastOnce, retain: Bool = false, properties: JSONObject = [:]
    ) async throws -> Int {
        var command = payload.members
        command["topic"] = .string(topic)
        command["qos"] = .int(Int64(qos.rawValue))
        command["retain"] = .bool(retain)
        command["properties"] = .object(properties)
        return try await process.command("publish", command).intValue ?? -1
    }

    func disconnect() async throws { try await process.command("disconnect") }

    /// Closes the connection without a word.
    func abort() async throws { try await process.command("abort") }

    /// The next message; nil when the process has ended.
    func next() async -> Message? {
        for await report in process.reports {
            guard let topic = report["message"].stringValue else { continue }
            let payload =
                report["size"].intValue.map { Payload.pattern(size: $0) }
                ?? .text(
                    String(decoding: Data(base64Encoded: report["payload"].stringValue ?? "") ?? Data(), as: UTF8.self))
            return Message(
                topic: topic, payload: payload, qos: report["qos"].intValue ?? -1,
                retain: report["retain"].boolValue ?? false, properties: report["properties"])
        }
        return nil
    }
}
