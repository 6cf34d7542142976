package import MQTTCore

/// Bytes that a connected peer must not send, and the reason code with which 5.0 is told; nil for 3.1.1, which has no word.
package struct Violation: Sendable, CustomStringConvertible {
    package let description: String
    package let version: ProtocolVersion
    package let bytes: [UInt8]
    package let code: ReasonCode?

    package init(_ description: String, _ version: ProtocolVersion, _ hex: String, _ code: ReasonCode? = nil) {
        self.description = description
        self.version = version
        self.code = code
        bytes = Array(hex: hex)
    }
}

extension [UInt8] {
    /// From hexadecimal digits; blanks are passed over.
    package init(hex: String) {
        let digits = hex.compactMap(\.hexDigitValue)
        self = stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
