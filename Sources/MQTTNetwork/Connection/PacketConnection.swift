package import MQTTCore
package import NIOCore

/// The one channel handler: bytes in, packets out to the ``PacketReceiver``; bytes out as they are given.
///
/// It owns the decoder, so that nothing is boxed between handlers. All members belong to the event loop.
package final class PacketConnection: ChannelInboundHandler, ChannelOutboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// The decoder: the owner sets version and limits when the handshake has told them.
    ///
    /// Unchecked: on the event loop alone, and no decoder calls out. Checking cost a tenth of a received message.
    @exclusivity(unchecked)
    package var decoder: PacketDecoder
    // Read through functions: other modules would check the access, for every message.
    @exclusivity(unchecked)
    private var readTotal: UInt64 = 0
    @exclusivity(unchecked)
    private var lastCapacity = 0
    /// Bytes at the front of the next read buffer that were read before.
    @exclusivity(unchecked)
    private var carriedBytes = 0

    /// Who the peer is by its TLS certificate, when it presented one. Known before the receiver hears of the connection.
    package var peerCertificate: PeerCertificate?

    /// The memory that is read into, where nothing lies between the socket and here.
    @exclusivity(unchecked)
    private var buffers: ReadBuffers?

    private let receiver: any PacketReceiver
    /// Says the packets to a logger, where one wants to hear of them.
    private let trace: PacketTrace?
    /// Asked for every packet.
    private let isTraced: Bool
    @exclusivity(unchecked)
    private var context: ChannelHandlerContext?
    private var failure: (any Error)?
    @exclusivity(unchecked)
    private var isPaused = false
    @exclusivity(unchecked)
    private var readIsHeld = false
    @exclusivity(unchecked)
    private var isFinished = false
    private var isOpen = false
    @exclusivity(unchecked)
    private var quickAcknowledgement: QuickAcknowledgement?

    package init(decoder: PacketDecoder, receiver: any PacketReceiver, trace: PacketTrace? = nil) {
        self.decoder = decoder
        self.receiver = receiver
        self.trace = trace
        isTraced = trace != nil
    }

    /// Bytes read since the connection opened.
    package var bytesRead: UInt64 { readTotal }

    /// Bytes kept of a packet that has not wholly arrived, beside the last read buffer.
    package var partialBytes: Int { decoder.partialBytes }

    /// The memory of the read buffer whose packets are being handed over, in bytes: what a message of it holds.
    package var readCapacity: Int { lastCapacity }

    /// The channel, while the connection is open.
    package var channel: (any Channel)? { context?.channel }

    /// Whether the socket takes more bytes without queueing beyond the channel's high-water mark.
    package var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Puts the connection at the end of the channel.
    ///
    /// - Parameter largestRead: in bytes, when it reads from the socket itself; nil when TLS or WebSocket do.
    func add(to channel: any Channel, largestRead: Int?) throws {
        if let largestRead {
            let buffers = ReadBuffers(largest: largestRead)
            self.buffers = buffers
            try channel.syncOptions?.setOption(.recvAllocator, value: buffers.allocator)
        }
        try channel.pipeline.syncOperations.addHandler(self)
    }

    // MARK: Sending

    /// Writes and flushes bytes that hold whole packets. The promise says when the socket took them.
    package func write(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>? = nil) {
        guard let context else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        if isTraced { trace?.sent(bytes, version: decoder.version) }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: promise)
    }

    /// Lets what comes next be acknowledged by TCP as soon as it is read; until something is written again.
    package func acknowledgeQuickly() {
        guard let quickAcknowledgement, let context, context.channel.isActive else { return }
        quickAcknowledgement.ask()
    }

    /// Closes at once. ``PacketReceiver/connectionClosed(_:connection:)`` follows.
    package func close(_ error: (any Error)? = nil) {
        if failure == nil { failure = error }
        isFinished = true
        context?.close(promise: nil)
    }

    /// Stops handing over packets, for good: what follows a violation or a DISCONNECT is not looked at.
    package func stopReceiving() { isFinished = true }

    // MARK: Back-pressure

    /// Reads no more from the socket until ``resumeReading()``. Packets of the present read buffer still come.
    package func pauseReading() { isPaused = true }

    package func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        if readIsHeld {
            readIsHeld = false
            context?.read()
        }
    }

    package var isReadingPaused: Bool { isPaused }

    package func read(context: ChannelHandlerContext) {
        if isPaused {
            readIsHeld = true
        } else {
            context.read()
        }
    }

    // MARK: Channel events

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { open() }
    }

    package func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    package func channelActive(context: ChannelHandlerContext) {
        open()
        context.fireChannelActive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard !isFinished else { return }
        if let buffers, buffers.hasLostBytes {
            return close(MQTTXError(.connectionLost, "the socket was said to be readable and was not"))
        }
        readTotal &+= UInt64(bytes.readableBytes - carriedBytes)
        carriedBytes = 0
        lastCapacity = bytes.storageCapacity
        decoder.append(bytes)
        var count = 0
        do throws(MQTTXError) {
            while !isFinished {
                count += 1
                if let publish = try decoder.nextPublish() {
                    if isTraced { trace?.received(publish) }
                    receiver.received(publish, from: self)
                } else if let packet = try decoder.next() {
                    if isTraced { trace?.received(packet) }
                    receiver.received(packet, from: self)
                } else {
                    break
                }
            }
            if let buffers {
                buffers.noteRead(bytes: bytes.readableBytes, packets: count)
                giveBack(bytes, to: buffers)
            }
        } catch {
            isFinished = true
            receiver.violated(error, on: self)
        }
    }

    /// The next read goes on behind what has come of the last packet.
    private func giveBack(_ bytes: ByteBuffer, to buffers: ReadBuffers) {
        let beginning = isFinished ? nil : decoder.takeBeginning()
        carriedBytes = beginning?.bytes.readableBytes ?? 0
        buffers.giveBack(bytes, beginning: beginning)
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        receiver.readCompleted(self)
        context.fireChannelReadComplete()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        receiver.writabilityChanged(context.channel.isWritable, on: self)
        context.fireChannelWritabilityChanged()
    }

    /// The peer sends no more, which ends the connection; first what it is owed for its last bytes goes out, at the end of
    /// this turn of the event loop.
    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        context.eventLoop.assumeIsolated().execute { self.close() }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if failure == nil { failure = error }
        context.close(promise: nil)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        isFinished = true
        receiver.connectionClosed(failure, connection: self)
        self.context = nil
        context.fireChannelInactive()
    }

    private func open() {
        guard !isOpen else { return }
        isOpen = true
        if let channel { quickAcknowledgement = QuickAcknowledgement(channel) }
        receiver.connectionOpened(self)
    }
}
