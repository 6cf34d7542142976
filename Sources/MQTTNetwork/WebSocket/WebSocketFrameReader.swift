import NIOCore

/// Takes WebSocket frames apart (RFC 6455, section 5), as the bytes come.
///
/// Payload is handed on without waiting for the frame's end, so that a frame of any size takes no memory: how large an
/// MQTT packet may be is the packet decoder's business, and neither frames nor messages have to do with packets
/// (MQTT-6.0.0-2).
struct WebSocketFrameReader {
    enum Role {
        case client, server
    }

    enum Event: Equatable {
        /// Some of a binary message.
        case data(ByteBuffer)
        case ping(ByteBuffer)
        case pong
        case close(WebSocketCloseCode?)
    }

    private enum Opcode: UInt8 {
        case continuation = 0
        case text = 1
        case binary = 2
        case close = 8
        case ping = 9
        case pong = 10

        var isControl: Bool { rawValue >= 8 }
    }

    private struct Frame {
        var opcode: Opcode
        var remaining: UInt64
        var mask: WebSocketMask?
    }

    private let role: Role
    private let maximumFrameSize: UInt64
    private var header: [UInt8] = []
    private var frame: Frame?
    /// A control frame's payload, 125 bytes at most.
    private var control = ByteBuffer()
    private var isInMessage = false

    init(role: Role, maximumFrameSize: UInt64) {
        self.role = role
        self.maximumFrameSize = maximumFrameSize
        header.reserveCapacity(14)
    }

    /// The next event in the bytes, which are consumed; nil when they are used up.
    mutating func next(_ bytes: inout ByteBuffer) throws(WebSocketViolation) -> Event? {
        while true {
            if frame == nil {
                guard try readHeader(&bytes) else { return nil }
            }
            guard let current = frame else { return nil }
            if current.opcode.isControl {
                guard readControlPayload(&bytes) else { return nil }
                return try endControlFrame(current.opcode)
            }
            if current.remaining == 0 {
                frame = nil
                continue
            }
            guard let payload = readPayload(&bytes) else { return nil }
            return .data(payload)
        }
    }

    // MARK: Header

    private mutating func readHeader(_ bytes: inout ByteBuffer) throws(WebSocketViolation) -> Bool {
        var needed = header.count < 2 ? 2 : headerSize
        while header.count < needed {
            guard let byte = bytes.readInteger(as: UInt8.self) else { return false }
            header.append(byte)
            if header.count == 2 {
                try checkStart()
                needed = headerSize
            }
        }
        try endHeader()
        return true
    }

    /// Once its first two bytes are there.
    private var headerSize: Int {
        let lengthSize =
            switch header[1] & 0x7F {
            case 126: 2
            case 127: 8
            default: 0
            }
        return 2 + lengthSize + (header[1] & 0x80 == 0 ? 0 : 4)
    }

    private func checkStart() throws(WebSocketViolation) {
        let isFinal = header[0] & 0x80 != 0
        let isMasked = header[1] & 0x80 != 0
        guard header[0] & 0x70 == 0 else { throw .protocolError("a reserved bit is set") }
        guard let opcode = Opcode(rawValue: header[0] & 0x0F) else { throw .protocolError("unknown opcode") }
        guard isMasked == (role == .server) else {
            throw .protocolError(isMasked ? "a server must not mask its frames" : "a client must mask its frames")
        }
        switch opcode {
        case .text:
            throw .unsupportedData
        case .binary:
            guard !isInMessage else { throw .protocolError("a message begins inside another") }
        case .continuation:
            guard isInMessage else { throw .protocolError("a continuation without a beginning") }
        case .close, .ping, .pong:
            guard isFinal else { throw .protocolError("a control frame in fragments") }
            guard header[1] & 0x7F <= 125 else { throw .protocolError("a control frame is too long") }
        }
    }

    private mutating func endHeader() throws(WebSocketViolation) {
        guard let opcode = Opcode(rawValue: header[0] & 0x0F) else { throw .protocolError("unknown opcode") }
        let isMasked = header[1] & 0x80 != 0
        var length = UInt64(header[1] & 0x7F)
        if length >= 126 {
            let lengthBytes = header[2..<(length == 126 ? 4 : 10)]
            length = lengthBytes.reduce(0) { $0 << 8 | UInt64($1) }
        }
        guard length <= maximumFrameSize else { throw .tooLarge(length) }
        let mask =
            isMasked
            ? WebSocketMask(
                header[header.count - 4], header[header.count - 3], header[header.count - 2], header[header.count - 1])
            : nil
        if !opcode.isControl { isInMessage = header[0] & 0x80 == 0 }
        frame = Frame(opcode: opcode, remaining: length, mask: mask)
        header.removeAll(keepingCapacity: true)
    }

    // MARK: Payload

    /// The part of the payload that is there; nil when none is.
    private mutating func readPayload(_ bytes: inout ByteBuffer) -> ByteBuffer? {
        guard var current = frame else { return nil }
        let count = Int(min(current.remaining, UInt64(bytes.readableBytes)))
        guard count > 0, var payload = bytes.readSlice(length: count) else { return nil }
        current.mask?.apply(to: &payload)
        current.remaining -= UInt64(count)
        frame = current.remaining == 0 ? nil : current
        return payload
    }

    /// Whether the control frame's payload is complete.
    private mutating func readControlPayload(_ bytes: inout ByteBuffer) -> Bool {
        guard frame?.remaining != 0 else { return true }
        if var part = readPayload(&bytes) { control.writeBuffer(&part) }
        return frame == nil
    }

    private mutating func endControlFrame(_ opcode: Opcode) throws(WebSocketViolation) -> Event {
        var payload = control
        control = ByteBuffer()
        frame = nil
        switch opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong
        case .continuation, .text, .binary, .close:
            guard payload.readableBytes > 0 else { return .close(nil) }
            guard let code = payload.readInteger(as: UInt16.self) else { throw .protocolError("half a close code") }
            return .close(WebSocketCloseCode(rawValue: code))
        }
    }
}
