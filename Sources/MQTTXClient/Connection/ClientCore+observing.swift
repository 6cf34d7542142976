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
            statistics.queuedInboundBytes = dispatch.pinned.total.load(ordering: .relaxed)
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
        guard let exchange = try await config.authenticator?.start() else {
            throw MQTTXError(.authenticationFailed, "no authenticator is configured")
        }
        let data = try await exchange.initialData()
        let result = try await eventLoop.submit { () -> Bool? in
            self.current.value?.reauthenticate(.with { $0.authenticationData = data }, exchange: exchange)
        }.get()
        switch result {
        case nil: throw MQTTXError(.notConnected, "there is no connection to authenticate on")
        case false?: throw MQTTXError(.authenticationFailed, "an authentication is under way already")
        case true?: return
        }
    }
}
