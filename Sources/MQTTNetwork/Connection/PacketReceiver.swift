package import MQTTCore

/// Who gets a connection's packets. All calls come on the connection's event loop.
package protocol PacketReceiver: AnyObject {
    /// The connection can carry packets: TCP, TLS and WebSocket are set up.
    func connectionOpened(_ connection: PacketConnection)
    /// A PUBLISH came, whole in one read. Most packets do: they take no detour through an enum.
    func received(_ publish: consuming Publish, from connection: PacketConnection)
    /// Any other packet came, or a PUBLISH in pieces. After an error was thrown nothing more is read from the connection; see ``violated(_:)``.
    func received(_ packet: DecodedPacket, from connection: PacketConnection)
    /// What was in the socket has been handed over: the moment for acknowledgements to go out together.
    func readCompleted(_ connection: PacketConnection)
    /// The bytes broke the protocol. Answer with a reason code if there is one, then close.
    func violated(_ error: MQTTXError, on connection: PacketConnection)
    /// The socket takes more, or takes no more for now.
    func writabilityChanged(_ isWritable: Bool, on connection: PacketConnection)
    /// The connection is gone; nothing more will come.
    func connectionClosed(_ error: (any Error)?, connection: PacketConnection)
}

extension PacketReceiver {
    package func received(_ publish: consuming Publish, from connection: PacketConnection) {
        received(.packet(.publish(publish)), from: connection)
    }
}
