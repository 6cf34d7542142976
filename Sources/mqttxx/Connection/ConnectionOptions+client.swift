import MQTTX

extension ConnectionOptions {
    /// Connects, runs the body and disconnects, however the body ends.
    ///
    /// - Parameter untilWritten: whether messages at QoS 0 may take as long as the network needs, and are an error when
    ///   the connection ends before.
    /// - Throws: ``FirstConnectionFailure``, and what the body throws.
    func withClient<Result: Sendable>(
        reconnects: Bool = false, untilWritten: Bool = false, adjusting adjust: (inout MQTTConfig) -> Void = { _ in },
        _ body: @escaping @Sendable (MQTTClient) async throws -> Result
    ) async throws -> Result {
        var config = try config(reconnects: reconnects)
        adjust(&config)
        let client = MQTTClient(config)
        let notices = client.notices
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await Self.report(notices, reconnects: reconnects) }
            defer { group.cancelAll() }
            try await Self.connectFirst(client)
            do {
                let result = try await body(client)
                await disconnect(client, drain: untilWritten ? .seconds(86_400) : .seconds(5))
                try Task.checkCancellation()
                if untilWritten, await client.statistics.messagesLost > 0 {
                    throw MQTTXError(.connectionLost, "the connection ended before everything was written")
                }
                return result
            } catch {
                await disconnect(client)
                throw error
            }
        }
    }

    private func disconnect(_ client: MQTTClient, drain: Duration? = nil) async {
        await client.disconnect(
            reasonCode: .success, sessionExpiry: expiryAtDisconnect, reasonString: reasonAtDisconnect,
            userProperties: property.userProperties(.disconnect), drain: drain)
    }

    static func connectFirst(_ client: MQTTClient) async throws {
        do {
            try await client.connect()
        } catch let error as MQTTXError where !error.isOwnMistake {
            throw FirstConnectionFailure(error: error)
        }
    }

    /// Says aloud what a person has to know.
    private static func report(_ notices: AsyncStream<Notice>, reconnects: Bool) async {
        var isRestored = false
        for await notice in notices {
            switch notice {
            case .unverifiedPeer(let host):
                StandardError.warn("the connection to \(host) is encrypted, but who answers there is not verified")
            // Otherwise it is the error that ends the command.
            case .connectionLost(let error) where reconnects && error.code != .sessionTakenOver:
                isRestored = true
                StandardError.warn("\(error); connecting again")
            // At first it is an error of the command itself.
            case .subscriptionRefused(let filter, let error) where isRestored:
                StandardError.warn("\(filter): \(error)")
            case .messageDropped(let topic, _, let reason):
                StandardError.warn("a message of \(topic) was dropped: \(reason)")
            default:
                continue
            }
        }
    }
}

extension MQTTXError {
    /// Whether no broker was asked, since no packet can carry what it was to be told.
    fileprivate var isOwnMistake: Bool {
        (code == .invalidTopic || code == .encodingFailed) && reasonCode == nil
    }
}

extension MQTTClient {
    /// Waits until the client has given up for good.
    ///
    /// - Throws: why it has; `CancellationError`.
    func untilItEnds() async throws -> Never {
        for await state in states {
            if case .disconnected(let error) = state {
                throw error ?? MQTTXError(.notConnected, "the client has disconnected")
            }
        }
        throw CancellationError()
    }
}
