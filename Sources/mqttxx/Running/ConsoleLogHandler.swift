import Logging

/// Log messages as lines on standard error.
struct ConsoleLogHandler: LogHandler {
    var logLevel: Logger.Level = .debug
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let details = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
            .map { " \($0.key)=\($0.value)" }.joined()
        StandardError.write(Self.legible("\(event.level): \(event.message)\(details)"))
    }

    /// On one line, and harmless to a terminal: names come from the other side.
    private static func legible(_ text: String) -> String {
        var line = ""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: line += scalar.escaped(asASCII: true)
            default: line.unicodeScalars.append(scalar)
            }
        }
        return line
    }

    /// Everything with `--debug`, otherwise nothing: what a person has to know is said by the command itself.
    static func logger(isDebugging: Bool) -> Logger {
        Logger(label: "mqttxx") { _ -> any LogHandler in
            isDebugging ? ConsoleLogHandler() : SwiftLogNoOpLogHandler()
        }
    }

    /// Of a broker, whose warnings nobody else says.
    static func brokerLogger(isDebugging: Bool) -> Logger {
        Logger(label: "mqttxx") { _ in ConsoleLogHandler(logLevel: isDebugging ? .debug : .warning) }
    }
}
