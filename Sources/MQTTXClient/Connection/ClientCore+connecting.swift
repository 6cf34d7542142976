internal import Logging
internal import MQTTCore
internal import MQTTNetwork
internal import NIOCore
internal import Synchronization

extension ClientCore {
    /// From here on whoever else wants to connect waits for this run.
    func prepareToRun() {
        shared.withLock { $0.isStopping = false }
        // Who learns that a connection is sought may publish.
        outbox.seek()
        setState(.connecting(attempt: 1))
    }

    /// Connects, keeps connected, runs the handlers; returns when the client was told to stop.
    ///
    /// - Parameters:
    ///   - retriesFirst: whether a failure of the very first connection is followed by another attempt.
    ///   - connected: told once: of the first connection, or why there is none.
    func run(retriesFirst: Bool, connected: @escaping @Sendable (Result<Void, any Error>) -> Void) async throws {
        dispatch.start()
        try await withThrowingDiscardingTaskGroup { group in
            let workers = max(1, config.numWorkers ?? NIOCore.System.coreCount * 2)
            let place = config.handlersRunOnEventLoop ? executor : nil
            for _ in 0..<workers {
                group.addTask(executorPreference: place) {
                    await HandlerScope.$current.withValue(self.handlerScope) { await self.dispatch.work() }
                }
            }
            defer { dispatch.stop() }
            do {
                try await keepConnected(retriesFirst: retriesFirst, connected: connected)
                stopped(nil)
            } catch {
                let error =
                    error as? MQTTXError ?? MQTTXError(.notConnected, "the client was cancelled", cause: error)
                stopped(error)
                connected(.failure(error))
                throw error
            }
        }
    }

    private func stopped(_ error: MQTTXError?) {
        let end = error ?? MQTTXError(.notConnected, "the client is disconnected")
        setState(.disconnected(error))
        // Calls end as lost with the connection, not as requests that could not be sent: whoever waits hears it first.
        tell(.disconnected(willReconnect: false, end))
        outbox.stop(end)
        registry.stop(end)
    }

    private func keepConnected(
        retriesFirst: Bool, connected: @Sendable (Result<Void, any Error>) -> Void
    ) async throws {
        var attempt = 0
        var hasConnected = false
        var redirects = RedirectCount(limit: config.maxRedirects)
        while !isStopping {
            setState(.connecting(attempt: attempt + 1))
            let cause: MQTTXError
            var mayReturn = true
            var wasConnected = false
            do {
                let connection = try await open()
                hasConnected = true
                wasConnected = true
                connected(.success(()))
                let start = ContinuousClock.now
                cause = await connection.end()
                if start.duration(to: .now) >= config.reconnect.stableAfter {
                    attempt = 0
                    redirects.reset()
                }
                if isStopping { return }
                logger.warning("connection lost", metadata: ["cause": "\(cause)"])
                notify(.connectionLost(cause))
                mayReturn = cause.code != .sessionTakenOver
            } catch let failure as MQTTXError {
                if isStopping { return }
                cause = failure
                logger.warning("connecting failed", metadata: ["cause": "\(cause)"])
                mayReturn = failure.allowsRetry && (hasConnected || retriesFirst)
            }
            if follow(cause, wasConnected, &redirects) {
                tell(.disconnected(willReconnect: true, cause))
                continue
            }
            let limit = config.reconnect.maxAttempts
            guard mayReturn, config.reconnect.enabled, limit == 0 || attempt < limit else { throw cause }
            let delay = config.reconnect.delay(attempt: attempt, random: .random(in: 0...1))
            attempt += 1
            tell(.disconnected(willReconnect: true, cause))
            setState(.waiting(delay: delay, cause: cause))
            try await Task.sleep(for: delay)
        }
    }

    /// Whether the next attempt goes to another broker, at once, since the present one says so (section 4.11). One that was
    /// named is given up for the configured one when there is no connecting to it, or when its connection ends and it was
    /// named for a while only.
    private func follow(_ cause: MQTTXError, _ wasConnected: Bool, _ redirects: inout RedirectCount) -> Bool {
        if let redirect = Redirect(cause, defaultPort: config.brokerPort), config.transport.isOverNetwork,
            redirects.take()
        {
            shared.withLock { $0.redirect = redirect }
            return true
        }
        shared.withLock { shared in
            if !wasConnected || shared.redirect?.isPermanent == false { shared.redirect = nil }
        }
        return false
    }

    var isStopping: Bool { shared.withLock { $0.isStopping } || Task.isCancelled }

    /// One connection that the broker has accepted.
    struct OpenConnection {
        let channel: any Channel
        let closed: EventLoopFuture<MQTTXError>

        /// Waits for the end of the connection. A cancelled task closes it.
        func end() async -> MQTTXError {
            await withTaskCancellationHandler {
                (try? await closed.get()) ?? MQTTXError(.connectionLost, "the connection ended")
            } onCancel: {
                channel.close(promise: nil)
            }
        }
    }

    /// Dials and shakes hands; falls back to MQTT 3.1.1 if the version is open and the broker does not take 5.0.
    private func open() async throws -> OpenConnection {
        let known = config.version ?? shared.withLock { $0.version }
        do {
            return try await attempt(known ?? .v5)
        } catch let failure as ClientConnection.Failure
            where known == nil && failure.suggestsOlderVersion && config.authenticationMethod == nil
        {
            logger.info("the broker did not take MQTT 5.0; trying 3.1.1", metadata: ["cause": "\(failure.error)"])
            do {
                return try await attempt(.v3_1_1)
            } catch let second as ClientConnection.Failure {
                throw second.error
            }
        } catch let failure as ClientConnection.Failure {
            throw failure.error
        }
    }

    private func attempt(_ version: ProtocolVersion) async throws -> OpenConnection {
        let credentials: AuthConfig.Credentials
        let exchange: (any AuthenticationExchange)?
        let authentication: AuthenticationData?
        do {
            credentials = try await config.auth.provider()
            exchange = try await config.authenticationMethod?.start()
            authentication = try await exchange?.begin()
        } catch let error as CancellationError {
            throw error
        } catch {
            throw MQTTXError(.authenticationFailed, "the credentials could not be had: \(error)", cause: error)
        }
        let connect = connectPacket(version, credentials, authentication)
        try check(connect)
        let target = dialTarget()
        if config.tls.enabled, config.tls.verifyMode == .none {
            logger.warning("the broker's certificate is not verified", metadata: ["broker": "\(target)"])
            notify(.unverifiedPeer(host: shared.withLock { $0.redirect?.host } ?? config.brokerHost))
        }
        logger.debug("connecting", metadata: ["broker": "\(target)"])
        let opened = eventLoop.makePromise(of: ServerCapabilities.self)
        let closed = eventLoop.makePromise(of: MQTTXError.self)
        let dial = Dialer.start(target, on: eventLoop) { _ in
            let decoder = PacketDecoder(
                role: .client, version: version,
                maximumPacketSize: version == .v5 ? Int(self.maximumPacketSize) : 268_435_460,
                maximumPayloadSize: self.config.maxPayloadSize)
            let connection = ClientConnection(
                core: self, connect: connect, exchange: exchange, opened: opened, closed: closed)
            return PacketConnection(
                decoder: decoder, receiver: connection,
                trace: PacketTrace(self.logger, role: .client, clientID: connect.clientID))
        }
        let channel: any Channel
        do {
            channel = try await dial.value()
        } catch {
            // Nobody else completes them when the connection was never made.
            opened.fail(error)
            closed.fail(error)
            throw error
        }
        return try await withTaskCancellationHandler {
            _ = try await opened.futureResult.get()
            return OpenConnection(channel: channel, closed: closed.futureResult)
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    /// The largest packet taken from the broker: the largest payload, and room for a topic and properties.
    private var maximumPacketSize: UInt32 {
        let size =
            config.maximumPacketSize ?? max(0, config.maxPayloadSize).addingReportingOverflow(128 * 1024).partialValue
        return UInt32(min(268_435_455, max(1, size)))
    }

    private func connectPacket(
        _ version: ProtocolVersion, _ credentials: AuthConfig.Credentials, _ authentication: AuthenticationData?
    ) -> Connect {
        // The session of an identifier that was made up for this run is of use to this run alone.
        let clientID = shared.withLock { $0.clientID }
        var connect = Connect(
            version: version, cleanStart: config.cleanSession,
            keepAlive: UInt16(clamping: config.keepAlive.components.seconds), clientID: clientID, will: config.will,
            username: credentials.username, password: credentials.password)
        guard version == .v5 else {
            connect.cleanStart = config.cleanSession || isIDGenerated
            connect.will?.properties = Properties()
            return connect
        }
        let expiry = config.sessionExpiry ?? (config.cleanSession || isIDGenerated ? .zero : .seconds(3_600))
        connect.properties = .with {
            if expiry > .zero { $0.sessionExpiryInterval = UInt32(clamping: expiry.components.seconds) }
            if config.receiveMaximum != .max { $0.receiveMaximum = max(1, config.receiveMaximum) }
            $0.maximumPacketSize = maximumPacketSize
            if config.topicAliasMaximum > 0 { $0.topicAliasMaximum = config.topicAliasMaximum }
            $0.userProperties = config.connectProperties + (authentication?.userProperties ?? [])
            $0.authenticationMethod = config.authenticationMethod?.name
            $0.authenticationData = authentication?.data
            if !config.requestsProblemInformation { $0.requestProblemInformation = 0 }
            if config.requestsResponseInformation { $0.requestResponseInformation = 1 }
        }
        return connect
    }

    /// What a user can get wrong is said before anything is dialled.
    private func check(_ connect: Connect) throws(MQTTXError) {
        if config.authenticationMethod != nil, connect.version == .v3_1_1 {
            throw MQTTXError(.authenticationFailed, "enhanced authentication needs MQTT 5.0")
        }
        if let will = connect.will { try TopicName.validate(will.topic) }
        var scratch = ByteBuffer()
        try PacketEncoder(version: connect.version).encode(.connect(connect), into: &scratch)
    }

    /// Ends the connection and the attempts to make one.
    func stop(_ packet: Disconnect) {
        shared.withLock { $0.isStopping = true }
        eventLoop.execute {
            self.current.value?.disconnect(packet)
        }
    }
}

extension MQTTXError {
    /// Whether another attempt, with credentials and files asked for anew, may succeed.
    fileprivate var allowsRetry: Bool {
        switch reasonCode {
        case .sessionTakenOver, .unsupportedProtocolVersion, .clientIdentifierNotValid, .banned,
            .badAuthenticationMethod, .malformedPacket, .protocolError:
            false
        default:
            true
        }
    }
}
