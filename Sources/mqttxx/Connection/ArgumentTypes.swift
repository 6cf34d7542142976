public import ArgumentParser
import MQTTX

extension QoS: ExpressibleByArgument {}

/// `5`, `3.1.1` and how else people write them.
struct VersionArgument: ExpressibleByArgument, Sendable {
    let version: ProtocolVersion

    init?(argument: String) {
        switch argument.lowercased() {
        case "5", "5.0", "50", "mqttv5", "v5": version = .v5
        case "4", "3.1.1", "311", "mqttv311", "v311", "v3.1.1": version = .v3_1_1
        default: return nil
        }
    }
}

/// Seconds that a session outlives its connection; `-1`, `4294967295` and `∞` are for ever.
struct ExpiryArgument: ExpressibleByArgument, Sendable {
    static let forever = ExpiryArgument(seconds: .max)
    let seconds: UInt32

    var duration: Duration { .seconds(Int64(seconds)) }

    init(seconds: UInt32) { self.seconds = seconds }

    init?(argument: String) {
        if argument == "-1" || argument == "∞" {
            seconds = .max
        } else if let seconds = UInt32(argument) {
            self.seconds = seconds
        } else {
            return nil
        }
    }
}

/// A port to connect to: 1 to 65,535.
struct PortArgument: ExpressibleByArgument, Sendable {
    let port: Int

    init?(argument: String) {
        guard let port = UInt16(argument), port > 0 else { return nil }
        self.port = Int(port)
    }
}

/// A number of seconds, with a fraction if need be; not negative.
struct SecondsArgument: ExpressibleByArgument, Sendable {
    let seconds: Double

    init(_ seconds: Double) { self.seconds = seconds }

    init?(argument: String) {
        guard let seconds = Double(argument), seconds >= 0, seconds < 1e9 else { return nil }
        self.seconds = seconds
    }

    var duration: Duration { .seconds(seconds) }
    var defaultValueDescription: String { "\(seconds)" }
}

/// A count of 1 or more.
struct CountArgument: ExpressibleByArgument, Sendable {
    let count: Int

    init(_ count: Int) { self.count = count }

    init?(argument: String) {
        guard let count = Int(argument), count > 0 else { return nil }
        self.count = count
    }

    var defaultValueDescription: String { "\(count)" }
}

/// What carries the packets, as EMQX's MQTTX says it.
enum ProtocolArgument: String, ExpressibleByArgument, CaseIterable, Sendable {
    case mqtt, mqtts, ws, wss

    var isTLS: Bool { self == .mqtts || self == .wss }
    var isWebSocket: Bool { self == .ws || self == .wss }
}

/// `NAME:VALUE`; a space may follow the colon.
struct NamedValue: ExpressibleByArgument, Sendable {
    let name: String
    let value: String

    init?(argument: String) {
        guard let colon = argument.firstIndex(of: ":") else { return nil }
        name = String(argument[..<colon])
        value = argument[argument.index(after: colon)...].trimmingPrefix(" ").description
    }
}
