import ArgumentParser
import MQTTX

/// The exit statuses that scripts depend on.
enum ExitStatus {
    static let connection: Int32 = 10
    static let timeRanOut: Int32 = 27

    static func of(_ error: any Error) -> Int32 {
        switch error {
        case let error as MQTTXError: of(error.code)
        case let error as FirstConnectionFailure: error.error.category == .permission ? 40 : connection
        case let error as Interruption: 128 + error.signal
        case is TimeRanOut: timeRanOut
        case is BrokenPipe: 141
        case is OutputFailure: 74
        case let error as DemoFailure: error.status
        default: RootCommand.exitCode(for: error).rawValue
        }
    }

    static func of(_ code: ErrorCode) -> Int32 {
        switch code {
        case .methodNotFound: 31
        case .rpcTimeout: 32
        case .rpcExecutionError: 33
        case .tooManyPendingCalls: 34
        default:
            switch code.rawValue / 1_000 {
            case 1: connection
            case 2: 20
            case 3: 30
            case 4: 40
            default: 1
            }
        }
    }

    /// One line, `[CODE] what went wrong`.
    static func describe(_ error: any Error) -> String {
        switch error {
        case let error as MQTTXError: oneLine(error.description)
        case let error as FirstConnectionFailure: oneLine(error.error.description)
        case is TimeRanOut: "[TIME_RAN_OUT] the time given with -W ran out"
        case let error as OutputFailure: "[OUTPUT_FAILED] cannot write to standard output: \(error.reason)"
        case let error as DemoFailure: oneLine("[DEMO_FAILED] \(error.message)")
        default: "[USAGE] " + oneLine(RootCommand.message(for: error))
        }
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}

/// The very first connection could not be made: whatever the reason, nothing was done.
struct FirstConnectionFailure: Error {
    let error: MQTTXError
}

/// The time given with `-W` was over before the work was.
struct TimeRanOut: Error {}

/// A signal asked the command to end.
struct Interruption: Error {
    let signal: Int32
}

/// Whoever read the standard output has gone.
struct BrokenPipe: Error {}

/// The standard output can't be written to.
struct OutputFailure: Error {
    let reason: String
}
