import Foundation

/// What a user wants `pub` and `sub` to begin with: `mqttxx_pub` and `mqttxx_sub` in the folder of configurations, an option
/// a line, as mosquitto's clients have it. What stands on the command line comes after it, and wins.
enum UserFile {
    static func words(for command: String) -> [String] {
        guard ["pub", "sub"].contains(command), let folder else { return [] }
        guard let text = try? String(contentsOfFile: "\(folder)/mqttxx_\(command)", encoding: .utf8) else { return [] }
        return text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#") }.flatMap { line in
            line.split(separator: " ", maxSplits: 1).map { String($0) }
        }
    }

    private static var folder: String? {
        let environment = ProcessInfo.processInfo.environment
        return environment["XDG_CONFIG_HOME"] ?? environment["HOME"].map { $0 + "/.config" }
    }
}
