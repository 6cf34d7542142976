/// Why a WebSocket connection ends (RFC 6455, section 7.4.1).
struct WebSocketCloseCode: RawRepresentable, Hashable, Sendable {
    let rawValue: UInt16

    static let normal = WebSocketCloseCode(rawValue: 1000)
    static let protocolError = WebSocketCloseCode(rawValue: 1002)
    static let unsupportedData = WebSocketCloseCode(rawValue: 1003)
    static let tooLarge = WebSocketCloseCode(rawValue: 1009)

    /// Those that may stand in a frame; others, such as "no code was given", are for programs alone.
    var mayBeSent: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
