import Foundation

/// What a user wants `pub` and `sub` to begin with: `mqttxx_pub` and `mqttxx_sub` in the folder of configurations, an option
/// a line, as mosquitto's clients have it. What stands on the command line comes after it, and wins.
enum UserFile {
    /// What a URL on the command line says all at once.
    private static let address: Set = [
        "-h", "--host", "--hostname", "-p", "--port", "-u", "--username", "-P", "--password", "--pw", "-L", "--url",
    ]

    static func words(for command: String, before arguments: some Sequence<String>) -> [String] {
        guard ["pub", "sub"].contains(command), let folder else { return [] }
        guard let text = try? String(contentsOfFile: "\(folder)/mqttxx_\(command)", encoding: .utf8) else { return [] }
        let hasAddress = arguments.contains { ["-L", "--url"].contains($0) || $0.hasPrefix("--url=") }
        return text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#") }
            .map { line in line.split(separator: " ", maxSplits: 1).map { String($0) } }
            .filter { words in !(hasAddress && words.first.map(address.contains) == true) }
            .flatMap(\.self)
    }

    private static var folder: String? {
        let environment = ProcessInfo.processInfo.environment
        return environment["XDG_CONFIG_HOME"] ?? environment["HOME"].map { $0 + "/.config" }
    }
}
