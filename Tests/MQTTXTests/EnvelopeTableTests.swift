import MQTTX
import NIOPosix
import TestSupport
import Testing

/// The rows of the wire's table of behaviour that a peer can observe.
@Suite(.timeLimit(.minutes(1))) struct EnvelopeTableTests {
    private struct Permission {
        var check: RPCAuthCallback?
    }

    /// A responder with a few methods, and a probe that listens at the reply topic.
    private func withResponder(
        _ config: RPCConfig = RPCConfig(), maxPayloadSize: Int = 1_000_000, permission: Permission = Permission(),
        register: (RPCManager) -> Void = { _ in }, body: (ConventionalRPCManager, Probe, String) async throws -> Void
    ) async throws {
        try await TestBroker.run { broker in
            let (topic, reply) = (TestBroker.topic("service"), TestBroker.topic("reply"))
            let client = try await broker.connect("responder") { $0.maxPayloadSize = maxPayloadSize }
            let rpc = try await ConventionalRPCManager(
                client, myTopic: topic, config: config, authCallback: permission.check
            ) {
                $0.register("echo") { (params: JSONValue) in params }
                register($0)
            }
            try await body(rpc, try await Probe(try await broker.connect("probe"), reply), reply)
        }
    }

    @Test("QoS: requests and responses travel at QoS 1")
    func qos() async throws {
        try await withResponder { rpc, probe, reply in
            try await probe.request(rpc.myTopic, "echo", replyTo: reply)
            #expect(try await probe.next().qos == .atLeastOnce)
            let called = Task { try await rpc.call(reply, "anything", timeout: .seconds(20)) }
            #expect(try await probe.next().qos == .atLeastOnce)
            called.cancel()
            _ = await called.result
        }
    }

    @Test("JSON: what Python's json.dumps writes is read, and NaN is never written")
    func pythonJSON() async throws {
        try await withResponder {
            $0.register("nan") { (params: JSONValue) in .double(.nan) }
            $0.register("is_nan") { (params: JSONValue) in
                ["nan": .bool(params["n"].doubleValue?.isNaN == true), "text": params["text"]]
            }
        } body: { rpc, probe, reply in
            try await probe.request(
                rpc.myTopic, "is_nan", params: #"{"n": NaN, "i": -Infinity, "text": "\u4f60 \ud800"}"#, replyTo: reply)
            #expect(try await probe.json()["result"] == ["nan": true, "text": "你 \u{FFFD}"])
            try await probe.request(rpc.myTopic, "nan", replyTo: reply)
            #expect(try await probe.json()["error"].stringValue?.hasPrefix("[ENCODING_FAILED] ") == true)
            let failure = await error { try await rpc.call(reply, "m", params: .double(.infinity)) }
            #expect(failure?.code == .encodingFailed)
            #expect(rpc.rpcManager.pendingCallCount == 0)
        }
    }

    @Test("Unknown keys are ignored in both directions")
    func unknownKeys() async throws {
        try await withResponder { rpc, probe, reply in
            try await probe.request(
                rpc.myTopic, "echo", params: "7", replyTo: reply, also: #", "trace": {"a": [1]}, "v": 9"#)
            #expect(try await probe.json()["result"] == 7)
            async let result = rpc.call(reply, "m")
            let id = try await probe.json()["request_id"].stringValue ?? ""
            try await probe.client.publish(
                rpc.myTopic,
                #"{"type": "rpc_response", "request_id": "\#(id)", "result": 8, "server": "x", "t": 1.5}"#)
            #expect(try await result == 8)
        }
    }

    @Test("An unknown method is answered with the text that old callers know")
    func unknownMethod() async throws {
        try await withResponder { rpc, probe, reply in
            try await probe.request(rpc.myTopic, "nope", id: "1", replyTo: reply)
            #expect(
                try await probe.json() == ["type": "rpc_response", "request_id": "1", "error": "方法未找到: nope"])
            #expect(await error { try await rpc.call(rpc.myTopic, "nope") }?.code == .methodNotFound)
        }
    }

    @Test("Permission is checked before the method is looked up, and a check that throws refuses")
    func permission() async throws {
        let auth: RPCAuthCallback = { caller, method, request in
            if method == "throws" { throw MQTTXError(.rpcExecutionError, "the check is broken") }
            return method == "echo" && caller == request.callerID
        }
        try await withResponder(permission: Permission(check: auth)) {
            $0.register("throws") { 1 }
        } body: { rpc, probe, reply in
            for method in ["nope", "throws"] {
                try await probe.request(rpc.myTopic, method, replyTo: reply)
                #expect(try await probe.json()["error"] == "Permission denied")
            }
            try await probe.request(rpc.myTopic, "echo", params: "1", replyTo: reply)
            #expect(try await probe.json()["result"] == 1)
            #expect(await error { try await rpc.call(rpc.myTopic, "nope") }?.code == .permissionDenied)
        }
    }

    private struct Plain: Error, CustomStringConvertible { let description: String }

    @Test("What a handler throws reaches the caller: code and message of ours, the description of others, never empty")
    func handlerThrows() async throws {
        try await withResponder {
            $0.register("ours") { (_: JSONValue) -> JSONValue in throw MQTTXError(.queueFull, "no room") }
            $0.register("plain") { (_: JSONValue) -> JSONValue in throw Plain(description: "it broke") }
            $0.register("empty") { (_: JSONValue) -> JSONValue in throw Plain(description: "") }
            $0.register("typed") { (p: [Int]) in p.count }
        } body: { rpc, probe, reply in
            for (method, text) in [("ours", "[QUEUE_FULL] no room"), ("plain", "it broke"), ("empty", "unknown error")]
            {
                try await probe.request(rpc.myTopic, method, replyTo: reply)
                #expect(try await probe.json()["error"] == .string(text))
            }
            let ours = await error { try await rpc.call(rpc.myTopic, "ours") }
            #expect(ours?.code == .queueFull && ours?.message == "no room")
            let plain = await error { try await rpc.call(rpc.myTopic, "plain") }
            #expect(plain?.code == .rpcExecutionError && plain?.message == "it broke")
            #expect(await error { try await rpc.call(rpc.myTopic, "typed", params: "x") }?.code == .invalidRPCRequest)
        }
    }

    @Test("A present, non-null error is a failure, even when empty; a null one is not")
    func emptyError() async throws {
        try await withResponder { rpc, probe, reply in
            for (members, code) in [
                (#""error": """#, ErrorCode?.some(.rpcExecutionError)), (#""error": null, "result": 1"#, nil),
                (#""error": {"a": 1}, "result": 1"#, .rpcExecutionError),
            ] {
                async let failure = error { try await rpc.call(reply, "m") }
                let id = try await probe.json()["request_id"].stringValue ?? ""
                try await probe.client.publish(
                    rpc.myTopic, #"{"type": "rpc_response", "request_id": "\#(id)", \#(members)}"#)
                #expect(await failure?.code == code)
            }
        }
    }

    @Test("What is no RPC message is dropped and counted, and the reader goes on")
    func garbage() async throws {
        try await withResponder { rpc, probe, reply in
            let garbage = [
                "", "not JSON", "[1, 2]", "42", #"{"type": "other", "request_id": "1"}"#, #"{"request_id": "1"}"#,
                #"{"type": "rpc_request", "method": "echo", "reply_to": "\#(reply)"}"#,
                #"{"type": "rpc_request", "request_id": "1", "reply_to": "\#(reply)"}"#,
                #"{"type": "rpc_request", "request_id": "1", "method": 5, "reply_to": "\#(reply)"}"#,
                #"{"type": "rpc_response", "result": 1}"#,
            ]
            for text in garbage { try await probe.client.publish(rpc.myTopic, text) }
            try await probe.client.publish(rpc.myTopic, [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D])
            try await probe.request(rpc.myTopic, "echo", params: "1", replyTo: reply)
            #expect(try await probe.json()["result"] == 1)
            #expect(await rpc.client.statistics.messagesIgnored == garbage.count + 1)
        }
    }

    /// Fails on anything that holds the word, and notes where it was called.
    private struct PickyCodec: Codec {
        let onEventLoop = Counter()

        func encode(_ value: JSONValue) throws -> ByteBuffer { try note { try value.jsonBytes() } }

        func decode(_ bytes: ByteBuffer) throws -> JSONValue {
            try note {
                if String(buffer: bytes).contains("poison") { throw Plain(description: "poisoned") }
                return try JSONValue(jsonBytes: bytes)
            }
        }

        private func note<T>(_ body: () throws -> T) rethrows -> T {
            if MultiThreadedEventLoopGroup.currentEventLoop != nil { onEventLoop.increment() }
            return try body()
        }
    }

    @Test("A user's codec runs off the receive path, and what it can't decode is dropped")
    func customCodec() async throws {
        try await TestBroker.run { broker in
            let codec = PickyCodec()
            let topic = TestBroker.topic()
            let client = try await broker.connect()
            let rpc = try await ConventionalRPCManager(client, myTopic: topic, codec: codec) {
                $0.register("echo") { (params: JSONValue) in params }
            }
            try await client.publish(topic, #"{"type": "rpc_response", "request_id": "1", "result": "poison"}"#)
            #expect(try await rpc.call(topic, "echo", params: ["a": [1, 2]]) == ["a": [1, 2]])
            #expect(codec.onEventLoop.count == 0)
            #expect(await client.statistics.messagesIgnored == 1)
        }
    }

    @Test("A request that can't be answered is refused before its handler runs", arguments: ["", nil, "a/+", "#"])
    func unanswerable(replyTo: String?) async throws {
        let calls = Counter()
        try await withResponder {
            $0.register("count") { calls.increment() }
        } body: { rpc, probe, reply in
            try await probe.request(rpc.myTopic, "count", replyTo: replyTo)
            try await probe.request(rpc.myTopic, "echo", replyTo: reply)
            _ = try await probe.next()
            #expect(calls.count == 0)
            #expect(await rpc.client.statistics.messagesIgnored == 1)
        }
    }

    @Test("A peer may call itself: the reply topic may be the request's")
    func selfCall() async throws {
        try await withResponder { rpc, _, _ in
            let result = try await rpc.call(rpc.myTopic, "echo", params: "me")
            #expect(result == "me")
        }
    }

    @Test("Responses that come twice or late are dropped and counted")
    func lateResponse() async throws {
        try await withResponder { rpc, probe, reply in
            async let result = rpc.call(reply, "m")
            let id = try await probe.json()["request_id"].stringValue ?? ""
            for value in 1...3 {
                try await probe.client.publish(
                    rpc.myTopic, #"{"type": "rpc_response", "request_id": "\#(id)", "result": \#(value)}"#)
            }
            #expect(try await result == 1)
            #expect(try await rpc.call(rpc.myTopic, "echo", params: 5) == 5)
            #expect(await rpc.client.statistics.messagesIgnored == 2)
        }
    }

    @Test("A payload beyond the limit fails before anything is sent; as a result it becomes an error response")
    func tooLarge() async throws {
        let limit = 2_000
        try await withResponder(maxPayloadSize: limit) {
            $0.register("big") { (params: JSONValue) in .string(String(repeating: "x", count: limit)) }
        } body: { rpc, probe, reply in
            let params = JSONValue.string(String(repeating: "x", count: limit))
            #expect(await error { try await rpc.call(rpc.myTopic, "echo", params: params) }?.code == .payloadTooLarge)
            #expect(rpc.rpcManager.pendingCallCount == 0)
            #expect(await error { try await rpc.call(rpc.myTopic, "big") }?.code == .payloadTooLarge)
        }
    }

    @Test("A retained request is ignored")
    func retained() async throws {
        try await TestBroker.run { broker in
            let (topic, reply) = (TestBroker.topic(), TestBroker.topic())
            let probe = try await Probe(try await broker.connect(), reply)
            try await probe.request(topic, "echo", params: "1", replyTo: reply, retain: true)
            let client = try await broker.connect()
            _ = try await ConventionalRPCManager(client, myTopic: topic) {
                $0.register("echo") { (params: JSONValue) in params }
            }
            try await probe.request(topic, "echo", params: "2", replyTo: reply)
            #expect(try await probe.json()["result"] == 2)
            #expect(await client.statistics.messagesIgnored == 1)
            try await probe.client.publish(topic, "", retain: true)
        }
    }

    @Test("A timeout of zero times out at once")
    func zeroTimeout() async throws {
        try await withResponder { rpc, _, _ in
            #expect(await error { try await rpc.call(rpc.myTopic, "echo", timeout: .zero) }?.code == .rpcTimeout)
        }
    }

    @Test("A call without an answer times out, and its slot is free again")
    func timeout() async throws {
        try await withResponder(RPCConfig(maxConcurrentCalls: 1)) { rpc, probe, reply in
            let late = await error { try await rpc.call(reply, "m", timeout: .milliseconds(30)) }
            #expect(late?.code == .rpcTimeout)
            #expect(late?.message.contains("0.03") == true)
            let result = try await rpc.call(rpc.myTopic, "echo", params: 1)
            #expect(result == 1)
        }
    }

    @Test("A handler may call out, and its peer may call back, with as few workers as there can be")
    func nestedCalls() async throws {
        try await TestBroker.run { broker in
            let (left, right) = (TestBroker.topic("left"), TestBroker.topic("right"))
            for (mine, other) in [(left, right), (right, left)] {
                let client = try await broker.connect { $0.numWorkers = 1 }
                let holder = Holder()
                let rpc = try await ConventionalRPCManager(client, myTopic: mine) { rpc in
                    rpc.register("count") { (depth: Int) async throws -> Int in
                        guard depth > 0, let rpc = holder.rpc else { return 0 }
                        let below: Int = try await rpc.call(other, "count", params: depth - 1)
                        return below + 1
                    }
                }
                holder.rpc = rpc
            }
            let rpc = RPCManager(try await broker.connect())
            let depths = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 { group.addTask { try await rpc.call(left, "count", params: 6) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(depths == Array(repeating: 6, count: 8))
        }
    }

    @Test("A request that comes twice is executed once, and its response is sent again")
    func replay() async throws {
        let (calls, started, gate) = (Counter(), Gate(), Gate())
        try await withResponder {
            $0.register("count") { calls.increment() }
            $0.register("slow") { () async -> Int in
                started.open()
                await gate.wait()
                return calls.increment()
            }
        } body: { rpc, probe, reply in
            for _ in 0..<2 {
                try await probe.request(rpc.myTopic, "count", id: "same", replyTo: reply)
                #expect(try await probe.json()["result"] == 1)
            }
            try await probe.request(rpc.myTopic, "slow", id: "running", replyTo: reply)
            await started.wait()
            try await probe.request(rpc.myTopic, "slow", id: "running", replyTo: reply)
            try await probe.request(rpc.myTopic, "echo", id: "after", replyTo: reply)
            #expect(try await probe.json()["request_id"] == "after")
            gate.open()
            #expect(try await probe.json()["result"] == 2)
            #expect(calls.count == 2)
            #expect(await rpc.client.statistics.messagesIgnored == 1)
        }
    }

    @Test("Requests beyond the limit are refused at once")
    func tooManyRequests() async throws {
        let gate = Gate()
        try await withResponder(RPCConfig(maxConcurrentRequests: 2)) {
            $0.register("slow") { () async -> Bool in
                await gate.wait()
                return true
            }
        } body: { rpc, probe, reply in
            for id in ["1", "2", "3"] { try await probe.request(rpc.myTopic, "slow", id: id, replyTo: reply) }
            let refused = try await probe.json()
            #expect(refused["request_id"] == "3")
            #expect(refused["error"].stringValue?.hasPrefix("[TOO_MANY_PENDING_CALLS] ") == true)
            #expect(await error { try await rpc.call(rpc.myTopic, "slow") }?.code == .tooManyPendingCalls)
            gate.open()
            for _ in 0..<2 { #expect(try await probe.json()["result"] == true) }
        }
    }

    @Test("The method __ping__ is answered with true")
    func ping() async throws {
        try await withResponder { rpc, _, _ in
            let answer = try await rpc.call(rpc.myTopic, "__ping__")
            #expect(answer == true)
        }
    }

    @Test("A second endpoint on a topic of one client is an error, also in a group, until the first is closed")
    func secondEndpoint() async throws {
        try await withResponder { rpc, _, _ in
            for group in [nil, "g"] {
                let failure = await error {
                    _ = try await ConventionalRPCManager(rpc.client, myTopic: rpc.myTopic, group: group)
                }
                #expect(failure?.code == .subscribeFailed)
            }
            await rpc.close()
            let next = try await ConventionalRPCManager(rpc.client, myTopic: rpc.myTopic)
            #expect(try await next.call(rpc.myTopic, "__ping__") == true)
        }
    }

    @Test("Calls beyond the limit fail, and no way to end a call leaks its slot")
    func tooManyCalls() async throws {
        try await withResponder(RPCConfig(maxConcurrentCalls: 2)) { rpc, probe, reply in
            let waiting = (0..<2).map { _ in Task { try await rpc.call(reply, "m") } }
            for _ in 0..<2 { _ = try await probe.next() }
            #expect(await error { try await rpc.call(reply, "m") }?.code == .tooManyPendingCalls)
            for task in waiting { task.cancel() }
            for task in waiting { await #expect(throws: CancellationError.self) { try await task.value } }
            #expect(await error { try await rpc.call("a/#", "m") }?.code == .invalidTopic)
            #expect(await error { try await rpc.call(reply, "m", replyTo: "+") }?.code == .invalidTopic)
            #expect(rpc.rpcManager.pendingCallCount == 0)
        }
    }
}

/// Lets a handler reach the endpoint that it belongs to.
final class Holder: @unchecked Sendable {
    // Unchecked: set before the first call.
    var rpc: ConventionalRPCManager?
}
