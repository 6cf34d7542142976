import MQTTCore
import MQTTXProtocol
import NIOCore

extension ByteBuffer {
    /// The readable bytes as UTF-8 text.
    var text: String { String(buffer: self) }

    /// From hexadecimal digits.
    init(hex: String) {
        var digits = Substring(hex)
        self.init()
        while let byte = UInt8(digits.prefix(2), radix: 16) {
            writeInteger(byte)
            digits = digits.dropFirst(2)
        }
    }
}

/// The code of the error that the body throws, or nil.
func code(_ body: () throws -> Void) -> ErrorCode? {
    do {
        try body()
        return nil
    } catch { return (error as? MQTTXError)?.code }
}

func asRequest(_ message: RPCMessage) -> RPCRequest? {
    if case .request(let request) = message { request } else { nil }
}

func asResponse(_ message: RPCMessage) -> RPCResponse? {
    if case .response(let response) = message { response } else { nil }
}
