import MQTTX

/// How the demo speaks and checks.
enum Demo {
    static func say(_ who: String, _ what: String) throws {
        let name = who.padded(to: 15)
        try StandardOutput.write(line: "\(name) \(what)")
    }

    static func check(_ condition: Bool, _ expectation: @autoclosure () -> String) throws {
        guard condition else { throw DemoFailure(message: "expected \(expectation())") }
    }

    /// The error that the body must fail with.
    static func error(_ code: ErrorCode, of body: () async throws -> Void) async throws -> MQTTXError {
        do {
            try await body()
        } catch let error as MQTTXError where error.code == code {
            return error
        }
        throw DemoFailure(message: "expected \(code), but the call succeeded")
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
