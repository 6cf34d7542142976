import Foundation
import TestSupport
import Testing

/// mosquitto's command-line clients and ours, given the same arguments.
enum MosquittoClients {
    /// With `CI` set the tests run in any case, and fail where the clients are missing.
    static let areWanted = Checkout.isCI || Checkout.executable("mosquitto_sub") != nil

    struct Pair {
        let theirs: Tool.Result
        let ours: Tool.Result

        /// That a script can't tell one from the other.
        func expectAlike(_ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(
                Self.normalized(ours) == Self.normalized(theirs),
                "\(arguments)\ntheirs: \(theirs.errors)\nours: \(ours.errors)", sourceLocation: sourceLocation)
            #expect(
                (ours.status == 0) == (theirs.status == 0) && (ours.status == 27) == (theirs.status == 27),
                "\(arguments): theirs \(theirs.status) \(theirs.errors), ours \(ours.status) \(ours.errors)",
                sourceLocation: sourceLocation)
        }

        /// Without the time, which no two runs share. Compared as text where it is text, for a legible failure.
        private static func normalized(_ result: Tool.Result) -> [String] {
            guard let text = String(validating: result.bytes, as: UTF8.self) else {
                return result.bytes.map { "\($0)" }
            }
            return [text.replacing(/"tst":(\t?)"[0-9TZ:.+-]+"/) { "\"tst\":\($0.output.1)\"\"" }]
        }
    }

    /// Runs both `sub`s at the same time.
    static func subscribe(_ arguments: [String], environment: [String: String] = [:]) async throws -> Pair {
        async let theirs = Tool.run(arguments, program: Checkout.tool("mosquitto_sub"), environment: environment)
        async let ours = Tool.run(["sub"] + arguments, environment: environment)
        return try await Pair(theirs: theirs, ours: ours)
    }

    /// Runs one `pub` after the other; the arguments may depend on whose turn it is.
    static func publish(_ arguments: (_ who: String) -> [String], input: [UInt8] = []) async throws -> Pair {
        let theirs = try await Tool.run(arguments("theirs"), program: Checkout.tool("mosquitto_pub"), input: input)
        let ours = try await Tool.run(["pub"] + arguments("ours"), input: input)
        return Pair(theirs: theirs, ours: ours)
    }
}
