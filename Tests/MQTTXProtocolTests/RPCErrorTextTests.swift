import Foundation
import MQTTCore
import MQTTXProtocol
import Testing

@Suite(.timeLimit(.minutes(2))) struct RPCErrorTextTests {
    @Test(
        "wire §4: a text maps back to a code",
        arguments: [
            ("方法未找到: add", .methodNotFound, "方法未找到: add"),
            ("Permission denied", .permissionDenied, "Permission denied"),
            ("[RPC_TIMEOUT] too late", .rpcTimeout, "too late"), ("[RPC_TIMEOUT]", .rpcTimeout, "RPC_TIMEOUT"),
            ("[NO_SUCH_CODE] x", .rpcExecutionError, "[NO_SUCH_CODE] x"),
            ("[RPC_TIMEOUT", .rpcExecutionError, "[RPC_TIMEOUT"),
            ("division by zero", .rpcExecutionError, "division by zero"), ("", .rpcExecutionError, "unknown error"),
            ("Permission denied!", .rpcExecutionError, "Permission denied!"), ("[]", .rpcExecutionError, "[]"),
        ] as [(String, ErrorCode, String)])
    func maps(_ text: String, _ code: ErrorCode, _ message: String) {
        let error = RPCErrorText.error(from: text)
        #expect(error.code == code && error.message == message)
    }

    @Test("wire §1: what a handler throws has a text, never an empty one")
    func describes() {
        #expect(RPCErrorText.describing(MQTTXError(.rpcTimeout, "late")) == "[RPC_TIMEOUT] late")
        #expect(RPCErrorText.describing(Silent()) == "unknown error")
        #expect(RPCErrorText.describing(Localized()) == "in words")
        #expect(RPCErrorText.methodNotFound("add") == "方法未找到: add")
    }

    @Test("Request ids are lowercase UUIDs of version 4, each its own")
    func requestIDs() {
        let ids = (0..<1000).map { _ in RequestID.make() }
        #expect(Set(ids).count == ids.count)
        for id in ids {
            #expect(id.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
        }
    }
}

private struct Silent: Error, CustomStringConvertible {
    var description: String { "" }
}

private struct Localized: LocalizedError {
    var errorDescription: String? { "in words" }
}
