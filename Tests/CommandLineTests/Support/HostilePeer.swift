import Foundation
import Synchronization

/// Listens on a free port of this machine and does with each connection what it is told, on a thread of its own.
final class HostilePeer: Sendable {
    let port: Int
    private let listener: Int32

    /// One client that has connected.
    final class Connection: Sendable {
        private let descriptor: Int32
        private let speaksVersion5 = Atomic(false)

        fileprivate init(_ descriptor: Int32) { self.descriptor = descriptor }

        /// What comes next; empty at the end.
        func read() -> [UInt8] {
            var space = [UInt8](repeating: 0, count: 4_096)
            let count = recv(descriptor, &space, space.count, 0)
            let bytes = Array(space.prefix(max(0, count)))
            // A CONNECT names its version after the protocol's name.
            if bytes.first == 0x10, bytes.dropFirst(8).first == 5 { speaksVersion5.store(true, ordering: .relaxed) }
            return bytes
        }

        func write(_ bytes: [UInt8]) { _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

        /// A CONNACK that accepts the CONNECT that was read.
        var connack: [UInt8] { speaksVersion5.load(ordering: .relaxed) ? [0x20, 3, 0, 0, 0] : [0x20, 2, 0, 0] }
    }

    init(_ serve: @escaping @Sendable (Connection) -> Void) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 50) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else { throw CocoaError(.fileReadUnknown) }
        self.listener = listener
        port = Int(in_port_t(bigEndian: address.sin_port))
        Thread.detachNewThread {
            // Ends when the listener is shut down.
            while case let descriptor = accept(listener, nil, nil), descriptor >= 0 {
                Thread.detachNewThread {
                    serve(Connection(descriptor))
                    close(descriptor)
                }
            }
            close(listener)
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }
}
