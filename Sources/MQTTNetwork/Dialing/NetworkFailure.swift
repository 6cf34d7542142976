import MQTTCore
import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Turns the network's errors into ours.
package struct NetworkFailure {
    let target: DialTarget
    /// Whether the connection was there already and was lost.
    let isEstablished: Bool

    /// As ``describe(_:)``, but leaves a cancellation what it is.
    func translated(_ error: any Error) -> any Error {
        error is CancellationError ? error : describe(error)
    }

    func describe(_ error: any Error) -> MQTTXError {
        if let error = error as? MQTTXError { return error }
        let reason = Self.words(for: error)
        if TLSFailure.isTLS(error) {
            let cause = (error as? TLSFailure)?.underlying ?? error
            return MQTTXError(.tlsFailed, "TLS with \(target) failed: \(reason)", cause: cause)
        }
        if Self.isTimeout(error) {
            return MQTTXError(.connectionTimeout, "no TCP connection with \(target): \(reason)", cause: error)
        }
        if isEstablished {
            return MQTTXError(.connectionLost, "the connection with \(target) was lost: \(reason)", cause: error)
        }
        return MQTTXError(.connectionFailed, "cannot connect to \(target): \(reason)", cause: error)
    }

    private static func isTimeout(_ error: any Error) -> Bool {
        switch error {
        case ChannelError.connectTimeout: return true
        case let error as NIOConnectionError:
            return !error.connectionErrors.isEmpty && error.connectionErrors.allSatisfy { isTimeout($0.error) }
        case let error as IOError: return error.errnoCode == ETIMEDOUT
        default: return false
        }
    }

    /// The reason alone, without whom it concerns.
    package static func words(for error: any Error) -> String {
        switch error {
        case let error as MQTTXError: return error.message
        case let error as NIOConnectionError: return words(for: error)
        case let error as IOError: return words(forErrno: error.errnoCode)
        case let error as WebSocketHandshakeFailure: return error.description
        case ChannelError.connectTimeout: return "no answer in time"
        case ChannelError.eof, ChannelError.inputClosed: return "the peer closed the connection"
        case ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed: return "the connection is closed"
        case NIOSSLError.uncleanShutdown: return TLSFailure.words(for: error)
        case is SocketAddressError: return "the name is not known"
        default: break
        }
        return TLSFailure.isTLS(error) ? TLSFailure.words(for: error) : String(describing: error)
    }

    private static func words(for error: NIOConnectionError) -> String {
        guard !error.connectionErrors.isEmpty else { return "the name \(error.host) is not known" }
        var reasons: [String] = []
        for failure in error.connectionErrors {
            let reason = words(for: failure.error)
            if !reasons.contains(reason) { reasons.append(reason) }
        }
        return reasons.joined(separator: ", ")
    }

    private static func words(forErrno code: CInt) -> String {
        switch code {
        case ECONNREFUSED: "connection refused"
        case EHOSTUNREACH: "the host can't be reached"
        case ENETUNREACH: "the network can't be reached"
        case ETIMEDOUT: "no answer in time"
        case ECONNRESET: "the peer reset the connection"
        case EPIPE: "the peer closed the connection"
        case EADDRINUSE: "the address is in use already"
        case EADDRNOTAVAIL: "the address is not one of this machine"
        case EACCES: "permission denied"
        case ENOENT: "no such file"
        default: String(cString: strerror(code))
        }
    }
}
