import ArgumentParser
import MQTTX

/// JSON from the command line, or from standard input for `-`.
enum JSONArgument {
    static func value(_ argument: String?) async throws -> JSONValue {
        guard let argument else { return nil }
        guard argument == "-" else { return try JSONValue(jsonText: argument) }
        return try JSONValue(jsonBytes: try await InputFile.standard.all(limit: ConnectionOptions.largestPayload))
    }
}
