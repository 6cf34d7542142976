internal import MQTTCore
internal import NIOCore

// What the authentication method is asked, before the CONNACK and on the live connection.
extension ClientConnection {
    func respond(to auth: Auth) {
        authenticate { exchange in
            try await exchange.respond(to: AuthenticationData(auth.properties)).properties
        } then: { [weak self] properties in
            guard let self else { return }
            self.send(self.handshake.answer(properties))
        }
    }

    func finishAuthentication(_ last: Properties, then: @escaping () -> Void) {
        authenticate { exchange in
            try await exchange.finish(with: AuthenticationData(last))
            return Properties()
        } then: { _ in
            then()
        }
    }

    /// Begins a re-authentication on the live connection.
    ///
    /// - Parameter done: completed when the broker has taken it, or the connection has ended.
    func reauthenticate(
        _ properties: Properties, exchange: any AuthenticationExchange, done: EventLoopPromise<Void>
    ) {
        guard server != nil, reauthentication == nil, let packet = handshake.reauthenticate(properties) else {
            return done.fail(MQTTXError(.authenticationFailed, "an authentication is under way already"))
        }
        reauthentication = done
        self.exchange = exchange
        send(packet)
    }

    private func authenticate(
        _ step: @escaping @Sendable (any AuthenticationExchange) async throws -> Properties,
        then: @escaping (Properties) -> Void
    ) {
        guard let exchange else { return unexpected("an AUTH though no authentication method is in use") }
        let promise = eventLoop.makePromise(of: Properties.self)
        // Ends with the exchange; the connection's end cancels it.
        authenticationTask = Task {
            do { promise.succeed(try await step(exchange)) } catch { promise.fail(error) }
        }
        promise.futureResult.assumeIsolated().whenComplete { [weak self] result in
            switch result {
            case .success(let properties): then(properties)
            case .failure(let error):
                self?.fail(
                    MQTTXError(.authenticationFailed, "the authentication method failed: \(error)", cause: error))
            }
        }
    }
}
