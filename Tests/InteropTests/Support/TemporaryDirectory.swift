import Foundation
import TestSupport

/// A directory that is gone when the body has ended.
func withTemporaryDirectory<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    // Short, since the path of a Unix socket has room for about a hundred bytes.
    let directory = URL(filePath: "/tmp/mqttx-\(UInt32.random(in: 0...UInt32.max))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(directory)
}

/// A port that nobody listens on now.
func freePort() throws -> Int {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
        }
    }
    guard bound else { throw ChildProcess.Failure("no free port: errno \(errno)") }
    return Int(UInt16(bigEndian: address.sin_port))
}
