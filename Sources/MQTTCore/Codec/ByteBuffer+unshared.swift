package import NIOCore

extension ByteBuffer {
    /// A copy that does not hold on to the buffer that these bytes were read into.
    package func unshared() -> ByteBuffer { ByteBuffer(bytes: readableBytesView) }
}
