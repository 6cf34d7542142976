import MQTTCore
import MQTTNetwork
import NIOCore
import NIOPosix
import Synchronization

let group = MultiThreadedEventLoopGroup.singleton

/// A listener with its accepted connections in order.
struct TestListener {
    let listener: BoundListener
    private let accepted: AsyncStream<Peer>

    init(_ target: ListenTarget) async throws {
        let (accepted, continuation) = AsyncStream.makeStream(of: Peer.self)
        self.accepted = accepted
        listener = try await Listener.bind(target, group: group) { channel in
            let peer = Peer(.server, channel)
            continuation.yield(peer)
            return peer.makeConnection()
        }
    }

    var endpoint: Endpoint { .tcp(host: "localhost", port: listener.port ?? 0) }

    func accept() async -> Peer? {
        for await peer in accepted { return peer }
        return nil
    }

    static func with<R>(
        _ target: ListenTarget, _ body: (TestListener) async throws -> R
    ) async throws -> R {
        let listener = try await TestListener(target)
        do {
            let result = try await body(listener)
            await listener.listener.close()
            return result
        } catch {
            await listener.listener.close()
            throw error
        }
    }
}

extension ListenTarget {
    static func loopback(
        tls: TLSServerConfig? = nil, webSocket: WebSocketListenSettings? = nil
    ) -> ListenTarget {
        ListenTarget(endpoint: .tcp(host: "127.0.0.1", port: 0), tls: tls, webSocket: webSocket)
    }
}

func dial(_ target: DialTarget) async throws -> Peer {
    let made = Mutex<[Peer]>([])
    _ = try await Dialer.dial(target, on: group.next()) { channel in
        let peer = Peer(.client, channel)
        made.withLock { $0.append(peer) }
        return peer.makeConnection()
    }.get()
    return try made.withLock { peers in
        guard peers.count == 1, let peer = peers.first else {
            throw MQTTXError(.connectionFailed, "\(peers.count) connections were made")
        }
        return peer
    }
}

/// The error that dialling ends with; nil when it succeeds.
func failure(of target: DialTarget) async -> MQTTXError? {
    do {
        try await dial(target).close()
        return nil
    } catch {
        return error as? MQTTXError ?? MQTTXError(.connectionFailed, "of another type: \(error)")
    }
}
