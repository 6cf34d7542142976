import MQTTCore
import NIOCore

extension Packet {
    /// What it is, in one line: `PUBLISH (d0, q1, r0, m3, "a/b", 5 bytes)`. Payloads, user names, passwords and data of
    /// authentication may be secret, and are left out.
    var summary: String {
        let details: [String] =
            switch self {
            case .connect(let connect): connect.details
            case .connack(let connack): connack.details
            case .publish(let publish): publish.details
            case .puback(let packet), .pubrec(let packet), .pubrel(let packet), .pubcomp(let packet): packet.details
            case .subscribe(let subscribe): ["m\(subscribe.packetID)"] + subscribe.filters.map(\.text)
            case .suback(let suback):
                ["m\(suback.packetID)"] + suback.reasonCodes.map(\.grant) + suback.properties.reason
            case .unsubscribe(let unsubscribe):
                ["m\(unsubscribe.packetID)"] + unsubscribe.filters.map(\.debugDescription)
            case .unsuback(let unsuback):
                ["m\(unsuback.packetID)"] + unsuback.reasonCodes.map(\.text) + unsuback.properties.reason
            case .pingreq, .pingresp: []
            case .disconnect(let disconnect): [disconnect.reasonCode.text] + disconnect.properties.reason
            case .auth(let auth):
                [auth.reasonCode.text] + [auth.properties.authenticationMethod].compactMap { $0 }
                    + auth.properties.reason
            }
        return "\(type)" + (details.isEmpty ? "" : " (\(details.joined(separator: ", ")))")
    }
}

extension Publish {
    var summary: String { "PUBLISH (\(details.joined(separator: ", ")))" }

    fileprivate var details: [String] { details(size: payload.readableBytes) }

    fileprivate func details(size: Int) -> [String] {
        // The topic is there, or its alias, or both where the alias is set.
        ["d\(dup ? 1 : 0)", "q\(qos.rawValue)", "r\(retain ? 1 : 0)", "m\(packetID)"]
            + (topic.isEmpty ? [] : [topic.debugDescription])
            + (properties.topicAlias.map { ["topic alias \($0)"] } ?? []) + ["\(size) bytes"]
    }
}

extension SkippedPublish {
    var summary: String {
        let publish = Publish(
            topic: topic, payload: ByteBuffer(), qos: qos, retain: retain, packetID: packetID, properties: properties)
        return "PUBLISH (\((publish.details(size: payloadSize) + ["too large"]).joined(separator: ", ")))"
    }
}

extension Connect {
    fileprivate var details: [String] {
        var details = [
            "MQTT \(version)", clientID.debugDescription, cleanStart ? "clean start" : "session kept",
            "keep alive \(keepAlive) s",
        ]
        if username != nil { details.append("user name") }
        if password != nil { details.append("password") }
        if let method = properties.authenticationMethod { details.append(method) }
        if let will {
            let size = will.payload.readableBytes
            details.append(
                "will q\(will.qos.rawValue) r\(will.retain ? 1 : 0) \(will.topic.debugDescription) \(size) bytes")
        }
        return details
    }
}

extension ConnAck {
    fileprivate var details: [String] {
        [reasonCode.text] + (sessionPresent ? ["session present"] : [])
            + (properties.assignedClientIdentifier.map { [$0.debugDescription] } ?? []) + properties.reason
    }
}

extension Acknowledgement {
    fileprivate var details: [String] {
        ["m\(packetID)"] + (reasonCode == .success ? [] : [reasonCode.text]) + properties.reason
    }
}

extension SubscriptionRequest {
    fileprivate var text: String {
        filter.debugDescription + " q\(options.qos.rawValue)" + (options.noLocal ? " no local" : "")
            + (options.retainAsPublished ? " retain as published" : "")
            + (options.retainHandling == .sendAtSubscribe ? "" : " retain handling \(options.retainHandling.rawValue)")
    }
}

extension ReasonCode {
    /// In a SUBACK.
    fileprivate var grant: String { isError ? text : "q\(rawValue)" }
}

extension Properties {
    fileprivate var reason: [String] { reasonString.map { [$0.debugDescription] } ?? [] }
}
