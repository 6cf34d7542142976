import MQTTX
import TestSupport
import Testing

private let values: [JSONValue] = [
    nil, true, false, 0, -1, 1.5, "", "Grüße, 漢字 und 😀", "\u{1}\n\"\\/", [], [:], [[], [[1, nil], "x"]],
    ["nested": ["list": [1, 2.5, ["deep": nil]], "größe": true], "9007199254740993": 9_007_199_254_740_993],
    .bigInt("123456789012345678901234567890"),
    // About 300 KB.
    .array((0..<8_000).map { ["index": .int($0), "text": "nicht ASCII: ß"] }),
]

@Suite("RPC between Swift and Python", .enabled(if: Checkout.runsPeers), .timeLimit(.minutes(3)))
struct PythonRPCTests {
    /// A Swift endpoint that offers the methods which the Python peers offer too, and a Python peer.
    private func withEndpoint(
        _ meeting: Meeting, _ body: (ConventionalRPCManager, PythonPeer) async throws -> Void
    ) async throws {
        try await meeting.run { client, python in
            let rpc = try await ConventionalRPCManager(
                client, myTopic: "swift/endpoint", authCallback: { _, method, _ in method != "secret" },
                register: registerMethods)
            try await body(rpc, python)
            await rpc.close()
        }
    }

    private func registerMethods(_ rpc: RPCManager) {
        rpc.register("echo") { (params: JSONValue) in params }
        rpc.register("add") { (params: Numbers) in ["sum": params.a + params.b] }
        rpc.register("nothing") { (_: JSONValue) in }
        rpc.register("fail") { () -> JSONValue in throw Broken() }
        rpc.register("coded") { () -> JSONValue in throw MQTTXError(.invalidJSON, "unreadable") }
        rpc.register("silent") { () -> JSONValue in
            try await Task.sleep(for: .seconds(3600))
            return nil
        }
        rpc.register("who_calls") { (_: JSONValue, request: RPCRequest) in .string(request.callerID) }
        rpc.register("secret") { "never told" }
        rpc.register("call_back") { (params: JSONValue) in
            let answer = try await rpc.call(
                params["topic"].stringValue ?? "", params["method"].stringValue ?? "", params: params["params"],
                timeout: .seconds(20), replyTo: "swift/endpoint")
            return ["they_said": answer]
        }
    }

    private struct Numbers: Codable {
        let a: Int
        let b: Int
    }

    private struct Broken: Error, CustomStringConvertible {
        var description: String { "Kaputt: ß 漢字" }
    }

    @Test("Swift calls Python: every kind of value comes back as it went", arguments: Meeting.all)
    func swiftCallsPython(_ meeting: Meeting) async throws {
        try await withEndpoint(meeting) { rpc, python in
            for value in values {
                let answer = try await rpc.call(python.topic, "echo", params: value)
                #expect(answer == value)
            }
            let sum: [String: Int] = try await rpc.call(python.topic, "add", params: Numbers(a: 2, b: 40))
            #expect(sum == ["sum": 42])
            #expect(try await rpc.call(python.topic, "nothing").isNull)
        }
    }

    @Test("Python calls Swift: every kind of value comes back as it went", arguments: Meeting.all)
    func pythonCallsSwift(_ meeting: Meeting) async throws {
        try await withEndpoint(meeting) { _, python in
            for value in values {
                let answer = try await python.call("swift/endpoint", "echo", value)
                #expect(answer == value)
            }
            #expect(try await python.call("swift/endpoint", "add", ["a": 2, "b": 40]) == ["sum": 42])
            #expect(try await python.call("swift/endpoint", "nothing").isNull)
            #expect(try await python.call("swift/endpoint", "who_calls") == "python")
        }
    }

    @Test("Python calls Python through our broker as it does through mosquitto", arguments: Meeting.all)
    func pythonCallsPython(_ meeting: Meeting) async throws {
        try await meeting.broker.run { place in
            try await PythonPeer.run(meeting.python, port: place.port(), clientID: "caller") { caller in
                try await PythonPeer.run(meeting.python, port: place.port(), clientID: "responder") { responder in
                    for value in values {
                        let answer = try await caller.call(responder.topic, "echo", value)
                        #expect(answer == value)
                    }
                }
            }
        }
    }

    @Test("What Python refuses or fails to do is told to Swift by code", arguments: Meeting.all)
    func pythonFails(_ meeting: Meeting) async throws {
        try await withEndpoint(meeting) { rpc, python in
            func failure(_ method: String, timeout: Duration = .seconds(20)) async throws -> MQTTXError {
                let error = await #expect(throws: MQTTXError.self) {
                    try await rpc.call(python.topic, method, timeout: timeout)
                }
                return try #require(error)
            }
            #expect(try await failure("no_such_method").code == .methodNotFound)
            #expect(try await failure("secret").code == .permissionDenied)
            let raised = try await failure("fail")
            #expect(raised.code == .rpcExecutionError)
            #expect(raised.message == "Kaputt: ß 漢字")
            #expect(try await failure("silent", timeout: .milliseconds(300)).code == .rpcTimeout)
            #expect(try await rpc.call(python.topic, "echo", params: "still there") == "still there")
        }
    }

    @Test("What Swift refuses or fails to do is raised in Python", arguments: Meeting.all)
    func swiftFails(_ meeting: Meeting) async throws {
        try await withEndpoint(meeting) { _, python in
            func failure(_ method: String, timeout: Double = 20) async throws -> PythonPeer.Failure {
                let error = await #expect(throws: PythonPeer.Failure.self) {
                    try await python.call("swift/endpoint", method, timeout: timeout)
                }
                return try #require(error)
            }
            func remote(_ text: String) -> PythonPeer.Failure {
                .init(type: "RPCRemoteError", text: "[RPC_EXECUTION_ERROR] \(text)", code: 3003)
            }
            let failure1 = try await failure("no_such_method")
            #expect(failure1 == remote("方法未找到: no_such_method"))
            let failure2 = try await failure("secret")
            #expect(failure2 == remote("Permission denied"))
            let failure3 = try await failure("fail")
            #expect(failure3 == remote("Kaputt: ß 漢字"))
            let failure4 = try await failure("coded")
            #expect(failure4 == remote("[INVALID_JSON] unreadable"))
            #expect(try await failure("silent", timeout: 0.3).code == 3002)
            #expect(try await python.call("swift/endpoint", "echo", "still there") == "still there")
        }
    }

    @Test("Calls in both directions at once, fifty each way", arguments: Meeting.all)
    func bothDirections(_ meeting: Meeting) async throws {
        try await withEndpoint(meeting) { rpc, python in
            let answers = try await withThrowingTaskGroup(of: (JSONValue, JSONValue).self) { group in
                for number in 0..<50 {
                    let value: JSONValue = ["number": .int(Int64(number))]
                    group.addTask { (value, try await rpc.call(python.topic, "echo", params: value)) }
                    group.addTask { (value, try await python.call("swift/endpoint", "echo", value)) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count == 100)
            for (sent, received) in answers { #expect(sent == received) }
        }
    }

    @Test("Handlers that call back before they answer", arguments: Meeting.all)
    func callsBack(_ meeting: Meeting) async throws {
        try await withEndpoint(meeting) { rpc, python in
            let toSwift: JSONValue = ["topic": "swift/endpoint", "method": "add", "params": ["a": 1, "b": 2]]
            let toPython: JSONValue = ["topic": .string(python.topic), "method": "add", "params": ["a": 3, "b": 4]]
            #expect(try await rpc.call(python.topic, "call_back", params: toSwift) == ["they_said": ["sum": 3]])
            #expect(try await python.call("swift/endpoint", "call_back", toPython) == ["they_said": ["sum": 7]])

            // A chain: Swift asks Python to ask Swift to ask Python.
            let chain: JSONValue = ["topic": "swift/endpoint", "method": "call_back", "params": toPython]
            let answer = try await rpc.call(python.topic, "call_back", params: chain)
            #expect(answer == ["they_said": ["they_said": ["sum": 7]]])

            // More at once than mosquitto sends unacknowledged to one client.
            let answers = try await withThrowingTaskGroup(of: JSONValue.self) { group in
                for _ in 0..<40 { group.addTask { try await python.call("swift/endpoint", "call_back", toPython) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers == Array(repeating: ["they_said": ["sum": 7]], count: 40))
        }
    }

    @Test("Every form of a request that this version of Python knows is answered", arguments: Meeting.all)
    func forms(_ meeting: Meeting) async throws {
        try await meeting.run { client, python in
            let forms: [MessageForm] = meeting.python == .v3 ? [.dual, .envelope] : [.dual, .native]
            for form in forms {
                let rpc = try await ConventionalRPCManager(
                    client, myTopic: "swift/\(form)", config: RPCConfig(form: form))
                let value = JSONValue.string("\(form)")
                #expect(try await rpc.call(python.topic, "echo", params: value) == value)
                await rpc.close()
            }
        }
    }

    @Test("Python 4.0.3 finds a Swift endpoint by its ping", arguments: BrokerKind.usual)
    func ping(_ broker: BrokerKind) async throws {
        try await withEndpoint(Meeting(broker: broker, python: .v4)) { _, python in
            let pong = try await python.ping("swift/endpoint")
            #expect(pong == true)
        }
    }
}
