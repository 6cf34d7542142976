import MQTTCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where certificates or a key come from: a file, or memory.
struct TLSSource {
    /// How error messages call it: the file's path, or what the bytes are.
    let name: String
    private let file: String?
    private let bytes: [UInt8]?

    /// No file of ours is anywhere near this; something else was named by mistake.
    private static let maximumSize = 16 * 1024 * 1024

    init?(file: String?, bytes: [UInt8]?, name: String) {
        guard file != nil || bytes != nil else { return nil }
        self.file = file
        self.bytes = bytes
        self.name = file ?? name
    }

    func read() throws(MQTTXError) -> [UInt8] {
        if let bytes { return bytes }
        guard let file else { return [] }
        guard let stream = fopen(file, "rb") else {
            throw MQTTXError(.tlsFailed, "cannot read \(file): \(String(cString: strerror(errno)))")
        }
        defer { fclose(stream) }
        var contents: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while contents.count <= Self.maximumSize {
            let count = fread(&chunk, 1, chunk.count, stream)
            guard count > 0 else { break }
            contents += chunk[..<count]
        }
        guard ferror(stream) == 0 else { throw MQTTXError(.tlsFailed, "cannot read \(file): it is no regular file") }
        guard contents.count <= Self.maximumSize else { throw MQTTXError(.tlsFailed, "\(file) is too large") }
        guard !contents.isEmpty else { throw MQTTXError(.tlsFailed, "\(file) is empty") }
        return contents
    }
}
