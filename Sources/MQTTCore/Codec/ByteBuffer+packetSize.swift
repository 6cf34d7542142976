package import NIOCore

extension ByteBuffer {
    /// How many bytes the packet takes that begins here; nil where its fixed header is malformed or not all there.
    package var firstPacketSize: Int? {
        withUnsafeReadableBytes { try? FixedHeader.read($0)?.packetSize }
    }
}
