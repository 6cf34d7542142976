internal import MQTTCore
internal import NIOCore
internal import Synchronization

extension ClientCore {
    var statistics: ClientStatistics {
        get async {
            var statistics = (try? await eventLoop.submit { self.inbound.value.statistics }.get()) ?? ClientStatistics()
            let counters = dispatch.counters
            statistics.messagesHandled += counters.handled
            statistics.handlerFailures = counters.failures
            statistics.queuedInbound = counters.queued
            statistics.queuedInboundBytes = dispatch.bounds.pinned.total.load(ordering: .relaxed)
            let sent = outbox.snapshot
            statistics.messagesSent = sent.statistics.sent
            statistics.messagesDelivered = sent.statistics.delivered
            statistics.publishFailures = sent.statistics.failures
            statistics.messagesLost = sent.statistics.lost
            statistics.queuedOutbound = sent.queued
            statistics.inFlight = sent.inFlight
            statistics.noticesDropped = noticesDropped.count.load(ordering: .relaxed)
            shared.withLock {
                statistics.connections = $0.connections
                statistics.messagesIgnored = $0.ignored
            }
            return statistics
        }
    }

    /// Waits until the present connection has ended.
    func closed() async {
        for await state in states.stream(startingWith: { self.shared.withLock { $0.state } }) {
            if !state.isConnected { return }
        }
    }

    func reauthenticate() async throws {
        guard let method = config.authenticationMethod else {
            throw MQTTXError(.authenticationFailed, "no authentication method is configured")
        }
        let exchange: any AuthenticationExchange
        let first: AuthenticationData
        do {
            exchange = try await method.start()
            first = try await exchange.begin()
        } catch let error as CancellationError {
            throw error
        } catch {
            throw MQTTXError(.authenticationFailed, "the authentication method failed: \(error)", cause: error)
        }
        let done = eventLoop.makePromise(of: Void.self)
        eventLoop.execute {
            guard let connection = self.current.value else {
                return done.fail(MQTTXError(.notConnected, "there is no connection to authenticate on"))
            }
            connection.reauthenticate(first.properties, exchange: exchange, done: done)
        }
        try await done.futureResult.get()
    }
}
