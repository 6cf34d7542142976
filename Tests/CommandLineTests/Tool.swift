import Foundation
import TestSupport

/// Runs the built `mqttxx` as a user does.
struct Tool {
    struct Result {
        let status: Int32
        let output: String
        let errors: String
    }

    /// The executable lies beside the test bundle.
    static let path = Checkout.products.appending(path: "mqttxx").path

    static func run(_ arguments: [String]) async throws -> Result {
        let child = try ChildProcess(path, arguments)
        child.closeInput()
        let status = await child.exitStatus()
        return Result(status: status, output: child.output, errors: child.errors)
    }
}
