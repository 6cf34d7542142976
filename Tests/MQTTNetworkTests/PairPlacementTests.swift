import MQTTCore
import MQTTNetwork
import NIOCore
import NIOPosix
import Testing

@Suite("Placement of accepted connections", .timeLimit(.minutes(1)))
struct PairPlacementTests {
    /// Connects one after the other and says on which of three loops each was placed.
    private func withPlaces(
        _ body: (_ connect: (Int) async throws -> [Int], _ close: (Int) async throws -> Void) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 3)
        let loops = group.makeIterator().map { ObjectIdentifier($0) }
        let (accepted, continuation) = AsyncStream.makeStream(of: (any Channel).self)
        let listener = try await Listener.bind(
            ListenTarget(endpoint: .tcp(host: "127.0.0.1", port: 0), handshakeTimeout: .seconds(10)), group: group
        ) { channel in
            continuation.yield(channel)
            return Peer(.server, channel).makeConnection()
        }
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        var clients: [any Channel] = []
        var places: [any Channel] = []
        var arrivals = accepted.makeAsyncIterator()
        let connect = { (count: Int) in
            var indices: [Int] = []
            for _ in 0..<count {
                clients.append(try await bootstrap.connect(host: "127.0.0.1", port: listener.port ?? 0).get())
                let channel = try #require(await arrivals.next())
                places.append(channel)
                indices.append(try #require(loops.firstIndex(of: ObjectIdentifier(channel.eventLoop))))
            }
            return indices
        }
        let close = { (index: Int) in
            try await clients[index].close()
            try await places[index].closeFuture.get()
        }
        try await body(connect, close)
        for client in clients where client.isActive { try await client.close() }
        await listener.close()
        try await group.shutdownGracefully()
    }

    @Test("two by two, and alike on all loops")
    func pairs() async throws {
        try await withPlaces { connect, _ in
            let places = try await connect(12)
            for pair in stride(from: 0, to: 12, by: 2) { #expect(places[pair] == places[pair + 1]) }
            for loop in 0..<3 { #expect(places.count { $0 == loop } == 4) }
        }
    }

    @Test("a connection that came and went does not part the next two")
    func probe() async throws {
        try await withPlaces { connect, close in
            _ = try await connect(1)
            try await close(0)
            let places = try await connect(2)
            #expect(places[0] == places[1])
        }
    }
}
