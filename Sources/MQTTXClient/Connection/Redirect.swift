internal import MQTTCore

/// Another broker, named by one that does not want us (MQTT 5.0, section 4.11).
struct Redirect: Equatable {
    let host: String
    let port: Int
    /// Whether the named one takes the other's place for good (0x9D), or for a while (0x9C).
    let isPermanent: Bool

    /// - Parameter cause: how the connection, or the attempt to make one, ended.
    /// - Returns: nil if that names no other broker, or not in a way that can be understood.
    init?(_ cause: MQTTXError, defaultPort: Int) {
        guard cause.reasonCode == .useAnotherServer || cause.reasonCode == .serverMoved,
            let reference = cause.properties.serverReference,
            let (host, port) = Self.parse(reference)
        else { return nil }
        self.host = host
        self.port = port ?? defaultPort
        isPermanent = cause.reasonCode == .serverMoved
    }

    /// The first entry of a Server Reference: `host`, `host:port` or `[v6]:port`.
    private static func parse(_ reference: String) -> (host: String, port: Int?)? {
        guard let first = reference.split(separator: " ").first else { return nil }
        let host: Substring
        var rest = Substring()
        if first.hasPrefix("["), let end = first.firstIndex(of: "]") {
            host = first[first.index(after: first.startIndex)..<end]
            rest = first[first.index(after: end)...]
        } else if let colon = first.firstIndex(of: ":"), first[first.index(after: colon)...].contains(":") == false {
            host = first[..<colon]
            rest = first[colon...]
        } else {
            // A name, or an IPv6 address without brackets.
            host = first
        }
        guard !host.isEmpty else { return nil }
        if rest.isEmpty { return (String(host), nil) }
        guard rest.hasPrefix(":"), let port = Int(rest.dropFirst()), (1...65_535).contains(port) else { return nil }
        return (String(host), port)
    }
}

/// How often in a row a client has followed one broker to the next.
struct RedirectCount {
    private let limit: Int
    private var taken = 0

    init(limit: Int) { self.limit = limit }

    /// - Returns: false if that was often enough.
    mutating func take() -> Bool {
        guard taken < limit else { return false }
        taken += 1
        return true
    }

    mutating func reset() { taken = 0 }
}

extension Transport {
    /// Whether there is a host and a port that another can take the place of.
    var isOverNetwork: Bool {
        if case .unixSocket = self { false } else { true }
    }
}
