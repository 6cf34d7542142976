package import MQTTCore
package import NIOCore

/// Makes client connections over every transport.
package enum Dialer {
    /// Dials, and puts the connection that `connection` makes at the end of the channel's pipeline.
    ///
    /// `connection` runs on the event loop, once, after every handshake; its receiver's `connectionOpened` has been
    /// called when the future succeeds. The future fails with an ``MQTTXError``.
    package static func dial(
        _ target: DialTarget, on eventLoop: any EventLoop,
        connection: @escaping @Sendable (any Channel) throws -> PacketConnection
    ) -> EventLoopFuture<any Channel> {
        start(target, on: eventLoop, connection: connection).channel
    }

    /// The same, as an attempt that can be given up.
    package static func start(
        _ target: DialTarget, on eventLoop: any EventLoop,
        connection: @escaping @Sendable (any Channel) throws -> PacketConnection
    ) -> DialAttempt {
        let attempt = DialAttempt(target, on: eventLoop, connection: connection)
        attempt.start()
        return attempt
    }

    /// An error from the network in words, for someone who knows the target by its name and port.
    ///
    /// Use it for what ``PacketReceiver/connectionClosed(_:connection:)`` tells: with TLS 1.3 a server refuses a
    /// client's certificate only after the handshake looked complete.
    package static func translate(_ error: any Error, target: DialTarget) -> MQTTXError {
        NetworkFailure(target: target, isEstablished: true).describe(error)
    }
}
