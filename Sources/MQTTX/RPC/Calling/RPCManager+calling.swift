internal import MQTTCore
internal import MQTTXClient
internal import MQTTXProtocol
internal import NIOCore

extension RPCManager {
    /// One call, from the request to the result.
    func send(
        _ topic: String, _ method: String, _ params: LazyValue, timeout: Duration?, replyTo: String?
    ) async throws -> LazyValue {
        try Task.checkCancellation()
        guard let (version, clientID) = client.endpoint else {
            throw MQTTXError(.notConnected, "the client is not connected")
        }
        let form = try MessageForm.choose(config.form, version)
        let timeout = timeout ?? config.defaultTimeout
        func late() -> MQTTXError {
            MQTTXError(.rpcTimeout, "no response from '\(topic)' to '\(method)' within \(timeout)")
        }
        guard timeout > .zero else { throw late() }
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        let id = RequestID.make()
        let call = try core.calls.begin(id, deadline: deadline)
        client.beginAwaiting()
        defer { client.endAwaiting() }
        do {
            let (replyTo, subscription) = try replyTopic(replyTo, clientID)
            if let subscription { try await granted(subscription, deadline) }
            let request = RPCRequest(
                requestID: id, method: method, params: params, replyTo: replyTo, callerID: clientID)
            if let unsent = try offer(request, as: form, to: topic, call) {
                watch(try await enqueue(topic, unsent.payload, unsent.properties, deadline), call)
            }
        } catch {
            core.calls.abandon(call)
            throw error is DeadlinePassed ? late() : error
        }
        switch await core.calls.wait(call) {
        case .timedOut: throw late()
        case .cancelled: throw CancellationError()
        case .failed(let error): throw error
        case .response(let response):
            switch response.outcome {
            case .result(let value): return value
            case .error(let text): throw RPCErrorText.error(from: text)
            }
        }
    }

    /// Sends a request if there is room for it.
    ///
    /// - Returns: what there was no room for.
    private func offer(
        _ request: RPCRequest, as form: MessageForm, to topic: String, _ call: PendingCalls.Call
    ) throws(MQTTXError) -> (payload: ByteBuffer, properties: Properties)? {
        let (payload, properties) = try core.coder.encode(request, as: form)
        guard let receipt = try core.client.offer(topic, payload, qos: .atLeastOnce, properties: properties) else {
            return (payload, properties)
        }
        watch(receipt, call)
        return nil
    }

    /// The call fails if its request does.
    private func watch(_ receipt: PublishReceipt, _ call: PendingCalls.Call) {
        receipt.onFailure(tell: core.calls, of: call)
    }

    /// Where the response is to come in, and the subscription if the broker has not granted it yet.
    private func replyTopic(
        _ named: String?, _ clientID: String
    ) throws(MQTTXError) -> (topic: String, ungranted: Subscription?) {
        if let named {
            try TopicName.validate(named)
            return (named, nil)
        }
        return try inbox.open(clientID: clientID, generation: client.subscriptionGeneration) {
            (topic) throws(MQTTXError) in
            try client.subscribeAtOnce(topic, handleRPCMessage)
        }
    }

    private func granted(_ subscription: Subscription, _ deadline: NIODeadline) async throws {
        do {
            try await subscription.granted(within: Duration(deadline - .now()))
        } catch ErrorCode.connectionTimeout {
            throw DeadlinePassed()
        } catch let error as MQTTXError {
            inbox.refused(subscription)
            throw error
        }
    }

    /// Waits for room in the queue, but not beyond the deadline.
    private func enqueue(
        _ topic: String, _ payload: ByteBuffer, _ properties: Properties, _ deadline: NIODeadline
    ) async throws -> PublishReceipt {
        let client = core.client
        return try await withThrowingTaskGroup(of: PublishReceipt.self) { group in
            group.addTask { try await client.enqueue(topic, payload, qos: .atLeastOnce, properties: properties) }
            group.addTask {
                try await Task.sleep(for: Duration(deadline - .now()))
                throw DeadlinePassed()
            }
            defer { group.cancelAll() }
            guard let receipt = try await group.next() else { throw CancellationError() }
            return receipt
        }
    }
}

/// The call's time ran out before its request was sent.
private struct DeadlinePassed: Error {}
