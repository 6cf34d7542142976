import Logging
import MQTTCore
import NIOSSL
import Synchronization

/// The context for each accepted connection: a new one when a file has changed since the last.
final class TLSServerContexts: Sendable {
    private struct State {
        var context: NIOSSLContext
        var stamps: [FileStamp?]
    }

    private let config: TLSServerConfig
    private let transport: TLSConfig.Transport
    private let logger: Logger?
    private let state: Mutex<State>

    init(_ config: TLSServerConfig, logger: Logger?, for target: ListenTarget) throws(MQTTXError) {
        self.config = config
        self.transport = target.webSocket == nil ? .mqtt : .webSocket
        self.logger = logger
        let stamps = config.files.map(FileStamp.init)
        self.state = Mutex(State(context: try config.makeServerContext(for: transport), stamps: stamps))
    }

    func current() -> NIOSSLContext {
        let stamps = config.files.map(FileStamp.init)
        return state.withLock { state in
            guard stamps != state.stamps else { return state.context }
            do throws(MQTTXError) {
                state.context = try config.makeServerContext(for: transport)
                logger?.info("TLS certificate loaded anew", metadata: ["files": "\(config.files)"])
            } catch {
                logger?.warning("changed TLS files can't be used, the old ones stay", metadata: ["reason": "\(error)"])
            }
            // Kept in case of failure too: the next try is when the files change again.
            state.stamps = stamps
            return state.context
        }
    }
}
