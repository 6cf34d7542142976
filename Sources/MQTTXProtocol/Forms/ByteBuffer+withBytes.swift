import MQTTCore
import NIOCore

extension ByteBuffer {
    /// The readable bytes, with the body's typed error (NIO's own form erases it).
    func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws(MQTTXError) -> R) throws(MQTTXError) -> R {
        let result: Result<R, MQTTXError> = withUnsafeReadableBytes { bytes in
            do throws(MQTTXError) { return .success(try body(bytes)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
