public import MQTTCore
internal import NIOCore
internal import Synchronization

/// A client of an MQTT broker. It carries bytes: publishes them, and hands what arrives to handlers and streams.
///
/// It may be used from any task. Connect in one of three ways: ``withConnection(_:_:)`` for a scope, ``connect()`` and
/// ``disconnect(drain:)``, or ``run()`` as a service that keeps trying.
///
/// ```swift
/// try await MQTTClient.withConnection(MQTTConfig(brokerHost: "localhost")) { client in
///     try await client.subscribe("sensors/#") { message in print(message.topic) }
///     try await client.publish("sensors/temperature", "25.5", qos: .atLeastOnce)
/// }
/// ```
public final class MQTTClient: Sendable {
    let core: ClientCore
    /// That of the core, at hand: what is published counts no reference up and down on the way.
    let outbox: Outbox
    private let running = Mutex<Task<Void, Never>?>(nil)

    /// A client that is not connected yet. Subscriptions may be made already; they are kept until there is a connection.
    public init(_ config: MQTTConfig) {
        core = ClientCore(config)
        outbox = core.outbox
    }

    deinit {
        // A client that nobody holds any more has nobody to call disconnect().
        running.withLock { $0 }?.cancel()
    }

    /// The configuration as given.
    public var config: MQTTConfig { core.config }

    /// Runs tasks on the thread that reads and writes this client's connection.
    ///
    /// A task that calls, publishes or answers from there changes no thread on the way, and what several such tasks send goes
    /// out in one write: a call takes about half the time. In return nothing is read or written while one of
    /// them runs, for this client or any other that shares its event loop: for code that awaits and computes little, and
    /// never blocks its thread.
    ///
    /// ```swift
    /// try await withTaskExecutorPreference(client.taskExecutor) {
    ///     for reading in readings { try await client.publish("sensors/temperature", reading, qos: .atLeastOnce) }
    /// }
    /// ```
    /// Handlers of RPC requests run there with ``RPCConfig/taskExecutor``. A task that runs when the client's
    /// `MQTTConfig.eventLoopGroup` is shut down does not go on.
    public var taskExecutor: any TaskExecutor { core.executor }

    // MARK: Connecting

    /// Connects, runs the body, and disconnects however the body ends.
    ///
    /// - Throws: what ``connect()`` throws, and what the body throws.
    public static func withConnection<Result>(
        _ config: MQTTConfig, isolation: isolated (any Actor)? = #isolation,
        _ body: (MQTTClient) async throws -> Result
    ) async throws -> Result {
        let client = MQTTClient(config)
        try await client.connect()
        do {
            let result = try await body(client)
            await client.disconnect(drain: .seconds(5))
            return result
        } catch {
            await client.disconnect()
            throw error
        }
    }

    /// Connects; returns when the broker has accepted. Afterwards the client reconnects by itself, as configured, until
    /// ``disconnect(drain:)``. Connecting a client that is connected does nothing; one that has ended by itself, since it was
    /// taken over or refused, is started again.
    ///
    /// - Throws: ``MQTTXError`` at the first failure: ``ErrorCode/connectionFailed``, ``ErrorCode/connectionTimeout``,
    ///   ``ErrorCode/tlsFailed``, ``ErrorCode/authenticationFailed``; ``ErrorCode/notConnected`` if somebody disconnects
    ///   meanwhile; `CancellationError` if the task is cancelled, which also ends the attempt.
    public func connect() async throws {
        await ended()
        let promise = core.eventLoop.makePromise(of: Void.self)
        let task = running.withLock { running -> Task<Void, Never>? in
            guard running == nil else { return nil }
            core.prepareToRun()
            // disconnect() awaits it; disconnect(), a failure, or the client's end cancels it.
            let task = Task { [core] in
                do {
                    try await core.run(retriesFirst: false) { promise.completeWith($0) }
                    // Without effect if there was a connection in between.
                    promise.fail(MQTTXError(.notConnected, "the client was disconnected while it was connecting"))
                } catch {
                    promise.fail(error)
                }
            }
            running = task
            return task
        }
        guard let task else {
            promise.succeed()
            return try await waitUntilConnected()
        }
        do {
            try await withTaskCancellationHandler {
                try await promise.futureResult.get()
            } onCancel: {
                task.cancel()
            }
            try Task.checkCancellation()
        } catch {
            task.cancel()
            await task.value
            running.withLock { if $0 == task { $0 = nil } }
            try Task.checkCancellation()
            throw error
        }
    }

    /// Begins what ``run()`` awaits.
    ///
    /// - Returns: nil if the client is running already.
    func start(retriesFirst: Bool, ended: EventLoopPromise<Void>) -> Task<Void, Never>? {
        running.withLock { running -> Task<Void, Never>? in
            guard running == nil else { return nil }
            core.prepareToRun()
            // run() awaits it; run() or disconnect() cancels it.
            let task = Task { [core] in
                do {
                    try await core.run(retriesFirst: retriesFirst) { _ in }
                    ended.succeed()
                } catch {
                    ended.fail(error)
                }
            }
            running = task
            return task
        }
    }

    /// Waits for a run that is over, or about to be; returns at once while one goes on.
    func ended() async {
        while let task = running.withLock({ $0 }), case .disconnected = state {
            await task.value
            forget(task)
        }
    }

    func forget(_ task: Task<Void, Never>) { running.withLock { if $0 == task { $0 = nil } } }

    private func waitUntilConnected() async throws {
        for await state in states {
            switch state {
            case .connected: return
            case .disconnected(let error): throw error ?? MQTTXError(.notConnected, "the client has disconnected")
            case .connecting, .waiting: continue
            }
        }
        try Task.checkCancellation()
    }

    /// Disconnects and stays so. Returns when the handlers that are running have ended; messages still waiting for theirs are
    /// not handled.
    ///
    /// In a handler of the same client, or a task that it started, it returns when the connection has ended: a handler does not
    /// wait for itself. ``connect()`` does wait for it, so that a handler can't await that after this.
    ///
    /// - Parameter drain: how long messages of ours that wait or are in flight may take to reach the broker first, at
    ///   QoS 0 to be written. What has not by then fails with ``ErrorCode/notConnected``, or is counted as lost. Nil does
    ///   not wait.
    public func disconnect(drain: Duration? = nil) async {
        await disconnect(reasonCode: .success, drain: drain)
    }

    /// Disconnects, telling the broker why and, if wanted, another life time for the session (MQTT 5.0, section 3.14).
    ///
    /// - Parameters:
    ///   - reasonCode: ``ReasonCode/disconnectWithWill`` has the broker publish the will; on MQTT 3.1.1 the connection is
    ///     closed without a word then, to the same end. Other codes don't travel on 3.1.1.
    ///   - sessionExpiry: how long the session is kept from now on, in whole seconds. Not sent after a connection whose
    ///     session was not to outlive it (MQTT-3.14.2-2).
    ///   - reasonString: why, for people.
    ///   - userProperties: names and values, in order.
    ///   - drain: as in ``disconnect(drain:)``.
    public func disconnect(
        reasonCode: ReasonCode, sessionExpiry: Duration? = nil, reasonString: String? = nil,
        userProperties: [UserProperty] = [], drain: Duration? = nil
    ) async {
        let packet = Disconnect(
            reasonCode: reasonCode,
            properties: .with {
                $0.sessionExpiryInterval = sessionExpiry.map { UInt32(clamping: $0.components.seconds) }
                $0.reasonString = reasonString
                $0.userProperties = userProperties
            })
        guard let task = running.withLock({ $0 }) else { return }
        if let drain, isConnected {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.outbox.drained() }
                group.addTask { try? await Task.sleep(for: drain) }
                await group.next()
                // Whoever still waits for the drain is released when the outbox stops.
                await stop(task, packet)
                group.cancelAll()
            }
        } else {
            await stop(task, packet)
        }
    }

    private func stop(_ task: Task<Void, Never>, _ packet: Disconnect) async {
        core.stop(packet)
        if isConnected { await core.closed() }
        task.cancel()
        guard !core.handlerScope.isEntered else {
            // The run is not over before the handler is: whoever connects again waits for it. The handler is cancelled by
            // now, and a cancelled task would not wait: hence one of its own, awaited here, which ends with the run's state.
            let states = states
            return await Task { for await state in states { if case .disconnected = state { return } } }.value
        }
        await task.value
        forget(task)
    }

    // MARK: Where it stands

    /// True only when the broker has accepted the connection and it has not ended since.
    public var isConnected: Bool { core.shared.withLock { $0.state.isConnected } }

    /// The present state.
    public var state: ConnectionState { core.shared.withLock { $0.state } }

    /// The state now and every change from now on; a reader that is slow gets the latest only.
    public var states: AsyncStream<ConnectionState> {
        core.states.stream { self.core.shared.withLock { $0.state } }
    }

    /// What was dropped, parked, refused or lost, from now on. The latest 1,000 wait for a slow reader.
    public var notices: AsyncStream<Notice> { core.notices.stream() }

    /// Counters since the client was made.
    public var statistics: ClientStatistics {
        get async { await core.statistics }
    }

    /// What the broker told about the connection; nil while there is none.
    public var server: ServerCapabilities? { core.shared.withLock { $0.server } }

    /// The client identifier in use: as configured, generated, or assigned by the broker.
    public var clientID: String { core.shared.withLock { $0.clientID } }

    /// The version of the present or latest connection; nil before the first.
    public var protocolVersion: ProtocolVersion? { core.shared.withLock { $0.version } }

    /// Authenticates anew on the live connection (MQTT 5.0, section 4.12.1); returns when the broker has agreed. Messages
    /// go on meanwhile. Cancelling the task does not stop it.
    ///
    /// - Throws: ``MQTTXError`` with ``ErrorCode/authenticationFailed`` if no method is configured, one exchange is under way
    ///   already, or the method fails, which ends the connection; ``ErrorCode/notConnected`` without a connection; how the
    ///   connection ended if the broker refuses by ending it.
    public func reauthenticate() async throws { try await core.reauthenticate() }
}
