import MQTTCore
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The client's half of SOCKS 5 (RFC 1928), with user name and password (RFC 1929). Bytes in, bytes out.
struct SOCKS5Negotiation {
    enum Step: Equatable {
        case awaitMore
        case send(ByteBuffer)
        case done
    }

    private enum State {
        case start, awaitingMethod, awaitingAuthentication, awaitingReply, done
    }

    private let host: String
    private let port: UInt16
    private let credentials: (username: String, password: String)?
    private var state = State.start

    init(host: String, port: Int, username: String?, password: String?) throws(MQTTXError) {
        guard let port = UInt16(exactly: port), (1...255).contains(host.utf8.count) else {
            throw MQTTXError(.connectionFailed, "\(host):\(port) can't be asked for at a SOCKS proxy")
        }
        self.host = host
        self.port = port
        credentials = username.map { ($0, password ?? "") }
        if let credentials {
            let sizes = [credentials.username.utf8.count, credentials.password.utf8.count]
            guard (1...255).contains(sizes[0]), sizes[1] <= 255 else {
                throw MQTTXError(.connectionFailed, "user name and password for a SOCKS proxy have at most 255 bytes")
            }
        }
    }

    mutating func start() -> ByteBuffer {
        state = .awaitingMethod
        return ByteBuffer(bytes: credentials == nil ? [5, 1, 0] : [5, 2, 0, 2])
    }

    /// Call again with what is left until it awaits more or is done.
    mutating func received(_ bytes: inout ByteBuffer) throws(MQTTXError) -> Step {
        switch state {
        case .start, .done:
            return .done
        case .awaitingMethod:
            guard let answer = bytes.readBytes(length: 2) else { return .awaitMore }
            guard answer[0] == 5 else { throw refused("it does not speak SOCKS 5") }
            return try methodChosen(answer[1])
        case .awaitingAuthentication:
            guard let answer = bytes.readBytes(length: 2) else { return .awaitMore }
            guard answer[1] == 0 else { throw refused("it does not accept the user name or the password") }
            return request()
        case .awaitingReply:
            return try reply(&bytes)
        }
    }

    private mutating func methodChosen(_ method: UInt8) throws(MQTTXError) -> Step {
        switch (method, credentials) {
        case (0, _):
            return request()
        case (2, let credentials?):
            state = .awaitingAuthentication
            var bytes = ByteBuffer(bytes: [1, UInt8(truncatingIfNeeded: credentials.username.utf8.count)])
            bytes.writeString(credentials.username)
            bytes.writeInteger(UInt8(truncatingIfNeeded: credentials.password.utf8.count))
            bytes.writeString(credentials.password)
            return .send(bytes)
        default:
            throw refused(credentials == nil ? "it wants a user name and a password" : "it offers no way to log in")
        }
    }

    private mutating func request() -> Step {
        state = .awaitingReply
        var bytes = ByteBuffer(bytes: [5, 1, 0])
        if let address = Self.packed(host, family: AF_INET, size: 4) {
            bytes.writeInteger(UInt8(1))
            bytes.writeBytes(address)
        } else if let address = Self.packed(host, family: AF_INET6, size: 16) {
            bytes.writeInteger(UInt8(4))
            bytes.writeBytes(address)
        } else {
            bytes.writeInteger(UInt8(3))
            bytes.writeInteger(UInt8(truncatingIfNeeded: host.utf8.count))
            bytes.writeString(host)
        }
        bytes.writeInteger(port)
        return .send(bytes)
    }

    private mutating func reply(_ bytes: inout ByteBuffer) throws(MQTTXError) -> Step {
        guard let start = bytes.getBytes(at: bytes.readerIndex, length: 5) else { return .awaitMore }
        guard start[0] == 5 else { throw refused("it does not speak SOCKS 5") }
        guard start[1] == 0 else { throw refused(Self.words(for: start[1])) }
        let addressSize: Int
        switch start[3] {
        case 1: addressSize = 4
        case 3: addressSize = 1 + Int(start[4])
        case 4: addressSize = 16
        default: throw refused("it answers with an unknown kind of address")
        }
        guard bytes.readSlice(length: 4 + addressSize + 2) != nil else { return .awaitMore }
        state = .done
        return .done
    }

    private static func packed(_ host: String, family: CInt, size: Int) -> [UInt8]? {
        var address = [UInt8](repeating: 0, count: size)
        return inet_pton(family, host, &address) == 1 ? address : nil
    }

    private func refused(_ reason: String) -> MQTTXError {
        MQTTXError(.connectionFailed, "the proxy gives no connection to \(host): \(reason)")
    }

    private static func words(for code: UInt8) -> String {
        switch code {
        case 1: "general failure"
        case 2: "its rules do not allow it"
        case 3: "the network can't be reached"
        case 4: "the host can't be reached"
        case 5: "connection refused"
        case 6: "no answer in time"
        case 7: "it does not make connections"
        case 8: "it does not know this kind of address"
        default: "failure \(code)"
        }
    }
}
