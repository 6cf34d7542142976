private import Foundation
public import MQTTCore

/// The texts by which responders tell what went wrong, as all peers know them.
public enum RPCErrorText {
    /// What mqttxx says when the permission check refused.
    public static let permissionDenied = "Permission denied"

    private static let methodNotFoundPrefix = "方法未找到: "

    /// What mqttxx says when there is no such method; old callers look for this very text.
    public static func methodNotFound(_ method: String) -> String { methodNotFoundPrefix + method }

    /// What to tell a caller about an error that a handler threw; never empty.
    ///
    /// An `MQTTXError` is told as `[CODE_NAME] message`, any other by its description.
    public static func describing(_ error: any Error) -> String {
        let text: String
        if let error = error as? MQTTXError {
            text = error.description
        } else if let error = error as? any LocalizedError, let description = error.errorDescription {
            text = description
        } else {
            text = String(describing: error)
        }
        return nonEmpty(text)
    }

    /// The error that a response's text stands for: the fixed texts, `[CODE_NAME] message`, and for all else
    /// ``ErrorCode/rpcExecutionError`` with the text as its message.
    public static func error(from text: String) -> MQTTXError {
        if text.hasPrefix(methodNotFoundPrefix) {
            return MQTTXError(.methodNotFound, text)
        }
        if text == permissionDenied { return MQTTXError(.permissionDenied, text) }
        if let error = coded(text) { return error }
        return MQTTXError(.rpcExecutionError, nonEmpty(text))
    }

    /// Peers take an empty text for success.
    static func nonEmpty(_ text: String) -> String { text.isEmpty ? "unknown error" : text }

    private static func coded(_ text: String) -> MQTTXError? {
        guard text.first == "[", let close = text.firstIndex(of: "]"),
            let code = ErrorCode(name: text[text.index(after: text.startIndex)..<close])
        else { return nil }
        return MQTTXError(code, String(text[text.index(after: close)...].drop { $0 == " " }))
    }
}
