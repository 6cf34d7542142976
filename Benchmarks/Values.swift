import MQTTXProtocol

/// Values to bytes and back: dynamic ones, and types of the program by way of `Codable`; identifiers of requests.
func values() throws -> [Benchmark] {
    let reading = Reading(
        device: "device_123", sequence: 4_711, temperature: 25.5, tags: ["room1", "indoor"], isCalibrated: true)
    let value = try JSONValue(encoding: reading)
    let json = try value.jsonBytes()
    let messagePack = try MessagePackCodec().encode(value)
    return [
        Benchmark("value/request-id") { keep(RequestID.make()) },
        Benchmark("value/json-write") { keep(try value.jsonBytes()) },
        Benchmark("value/json-read") { keep(try JSONValue(jsonBytes: json)) },
        Benchmark("value/messagepack-write") { keep(try MessagePackCodec().encode(value)) },
        Benchmark("value/messagepack-read") { keep(try MessagePackCodec().decode(messagePack)) },
        Benchmark("value/codable-encode") { keep(try JSONValue(encoding: reading)) },
        Benchmark("value/codable-decode") { keep(try value.decode(as: Reading.self)) },
    ]
}

private struct Reading: Codable {
    let device: String
    let sequence: Int
    let temperature: Double
    let tags: [String]
    let isCalibrated: Bool
}
