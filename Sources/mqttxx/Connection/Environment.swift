import ArgumentParser
import Foundation

/// Defaults for options: `MQTTXX_` and the long name in capitals, with underscores.
enum Environment {
    static func text(_ name: String) -> String? {
        let value = ProcessInfo.processInfo.environment["MQTTXX_" + name]
        return value?.isEmpty == false ? value : nil
    }

    static func value<Value: ExpressibleByArgument>(_ name: String, as type: Value.Type = Value.self) throws -> Value? {
        guard let text = text(name) else { return nil }
        guard let value = Value(argument: text) else {
            throw ValidationError("the environment's MQTTXX_\(name) is not valid: '\(text)'")
        }
        return value
    }

    static func isOn(_ name: String) -> Bool {
        guard let text = text(name)?.lowercased() else { return false }
        return !["0", "false", "no", "off"].contains(text)
    }
}
