/// Where a connection comes from, as far as access depends on it.
struct ConnectionOrigin: Sendable {
    /// Nil for a Unix socket.
    let remoteAddress: String?
    /// The listener is reached from this machine alone.
    let isLocal: Bool

    /// For people.
    var peer: String { remoteAddress ?? "unix" }
}
