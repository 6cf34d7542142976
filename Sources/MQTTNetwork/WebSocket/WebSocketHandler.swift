import MQTTCore
import NIOCore

/// Turns WebSocket frames into the bytes of the MQTT stream and back; answers pings and the closing handshake.
final class WebSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The largest MQTT packet: nobody has a reason for a larger frame.
    static let maximumFrameSize: UInt64 = 268_435_460
    /// Up to this many bytes it is cheaper to copy a packet than to write it from where it is.
    private static let copiedPacketSize = 4096

    private let role: WebSocketFrameReader.Role
    private var reader: WebSocketFrameReader
    private var isCloseSent = false
    /// Nothing is taken any more: both have said that they close, or the other side broke the rules.
    private var isOver = false
    private var isFlushNeeded = false

    init(role: WebSocketFrameReader.Role) {
        self.role = role
        self.reader = WebSocketFrameReader(role: role, maximumFrameSize: Self.maximumFrameSize)
    }

    // MARK: Incoming

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        do throws(WebSocketViolation) {
            while !isOver, let event = try reader.next(&bytes) {
                handle(event, context: context)
            }
        } catch {
            isOver = true
            sendClose(error.closeCode, context: context)
            context.fireErrorCaught(error.error)
            context.close(promise: nil)
        }
    }

    private func handle(_ event: WebSocketFrameReader.Event, context: ChannelHandlerContext) {
        switch event {
        case .data(let payload):
            context.fireChannelRead(wrapInboundOut(payload))
        case .ping(let payload):
            // A peer that pings and does not read its pongs must not fill our memory.
            guard context.channel.isWritable, !isCloseSent else { return }
            write(payload, opcode: 10, context: context, promise: nil)
            isFlushNeeded = true
        case .pong:
            break
        case .close(let code):
            isOver = true
            sendClose(code.flatMap { $0.mayBeSent ? $0 : .protocolError } ?? .normal, context: context)
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isFlushNeeded {
            isFlushNeeded = false
            context.flush()
        }
        context.fireChannelReadComplete()
    }

    // MARK: Outgoing

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isCloseSent else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        let bytes = unwrapOutboundIn(data)
        switch role {
        case .client: write(bytes, opcode: 2, context: context, promise: promise)
        case .server: writePackets(bytes, context: context, promise: promise)
        }
    }

    /// A close of the output alone says so too: what ends an MQTT connection from this side is no accident to the client.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .all { isOver = true }
        if mode != .input { sendClose(.normal, context: context) }
        context.close(mode: mode, promise: promise)
    }

    private func sendClose(_ code: WebSocketCloseCode, context: ChannelHandlerContext) {
        guard !isCloseSent, context.channel.isActive else { return }
        isCloseSent = true
        write(ByteBuffer(integer: code.rawValue), opcode: 8, context: context, promise: nil)
        context.flush()
    }

    /// One frame for each packet: Paho's C library takes the first packet out of a frame at once, and the others only when
    /// more bytes have come.
    private func writePackets(_ bytes: ByteBuffer, context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        var rest = bytes
        var frames = ByteBuffer()
        while let size = rest.firstPacketSize, size < rest.readableBytes, let packet = rest.readSlice(length: size) {
            if size <= Self.copiedPacketSize {
                if frames.capacity == 0 { frames = context.channel.allocator.buffer(capacity: bytes.readableBytes) }
                writeHeader(payloadSize: size, opcode: 2, into: &frames)
                frames.writeImmutableBuffer(packet)
            } else {
                writeFrames(&frames, context: context)
                write(packet, opcode: 2, context: context, promise: nil)
            }
        }
        writeFrames(&frames, context: context)
        write(rest, opcode: 2, context: context, promise: promise)
    }

    private func writeFrames(_ frames: inout ByteBuffer, context: ChannelHandlerContext) {
        guard frames.readableBytes > 0 else { return }
        context.write(wrapOutboundOut(frames), promise: nil)
        frames = ByteBuffer()
    }

    private func write(
        _ payload: ByteBuffer, opcode: UInt8, context: ChannelHandlerContext, promise: EventLoopPromise<Void>?
    ) {
        let isMasked = role == .client
        var frame = context.channel.allocator.buffer(capacity: 14 + (isMasked ? payload.readableBytes : 0))
        writeHeader(payloadSize: payload.readableBytes, opcode: opcode, into: &frame)
        if isMasked {
            var mask = WebSocketMask.random()
            frame.writeBytes(mask.bytes)
            var masked = payload
            mask.apply(to: &masked)
            frame.writeBuffer(&masked)
            context.write(wrapOutboundOut(frame), promise: promise)
        } else {
            // The payload may be shared by many connections: it is not copied.
            context.write(wrapOutboundOut(frame), promise: nil)
            context.write(wrapOutboundOut(payload), promise: promise)
        }
    }

    private func writeHeader(payloadSize: Int, opcode: UInt8, into frame: inout ByteBuffer) {
        frame.writeInteger(0x80 | opcode)
        let maskBit: UInt8 = role == .client ? 0x80 : 0
        switch payloadSize {
        case ...125:
            frame.writeInteger(maskBit | UInt8(payloadSize))
        case ...65_535:
            frame.writeInteger(maskBit | 126)
            frame.writeInteger(UInt16(payloadSize))
        default:
            frame.writeInteger(maskBit | 127)
            frame.writeInteger(UInt64(payloadSize))
        }
    }
}
