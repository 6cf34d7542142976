import MQTTCore
import Synchronization
import Testing

@testable import MQTTXClient

@Suite("Subscriptions beyond the ordinary", .timeLimit(.minutes(2)))
struct ManySubscriptionsTests {
    @Test("A SUBSCRIBE that finds no packet identifier waits for one, and ends with the connection")
    func moreThanIdentifiers() throws {
        let ended = Mutex<[Int: Bool]>([:])
        var state = OutboxState.online()
        var completions = OutboxState.Completions()
        for number in 1...65_537 {
            let request = PendingRequest {
                .unsubscribe(Unsubscribe(packetID: $0, filters: ["a"]))
            } answered: { result in
                ended.withLock { $0[number] = (try? result.get()) != nil }
            }
            #expect(try state.request(request))
        }
        let sent = state.output.take().size
        state.acknowledged(.unsuback(UnsubAck(packetID: 7, reasonCodes: [.success])), &completions)
        state.pump(&completions)
        #expect(state.output.take().size == sent / 65_535)
        state.disconnected(&completions)
        for case .answered(let request, let result) in completions.others { request.answered(result) }
        #expect(ended.withLock { $0.count } == 65_537 && ended.withLock { $0.filter(\.value).map(\.key) } == [7])
    }

    @Test("Filters that look the same are two: one that was given up is told, though the other is wanted")
    func sameLooks() async throws {
        try await ScriptedBroker.run { broker, connections in
            let (client, first) = try await broker.connect(connections)
            let (composed, decomposed) = ("caf\u{E9}/+", "cafe\u{301}/+")
            async let subscribing = client.subscribe(composed) { _ in }
            try await first.grant()
            let subscription = try await subscribing
            await first.close()
            let second = try #require(await connections.next())
            _ = try await subscription.cancel()
            try await client.subscribe(decomposed) { _ in }
            try await second.accept(sessionPresent: true)
            #expect(try await second.nextUnsubscribe().filters.map { Array($0.utf8) } == [Array(composed.utf8)])
            #expect(try await second.nextSubscribe().filters.map { Array($0.filter.utf8) } == [Array(decomposed.utf8)])
            await client.disconnect()
        }
    }
}
