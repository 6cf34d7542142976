internal import MQTTCore
internal import MQTTSCRAM
internal import NIOCore

/// Enhanced authentication by SCRAM-SHA-256 (RFC 5802, RFC 7677): the password never travels, and the broker proves that
/// it knows it too.
///
/// ```swift
/// config.authenticationMethod = SCRAMSHA256Method(username: "edge", password: "secret")
/// ```
public struct SCRAMSHA256Method: AuthenticationMethod {
    /// `SCRAM-SHA-256`.
    public let name = "SCRAM-SHA-256"

    private let username: String
    private let password: String
    private let iterations: ClosedRange<Int>

    /// - Parameters:
    ///   - username: whom the broker knows.
    ///   - password: its password. Both are brought into the form that RFC 5802 asks for.
    ///   - iterations: how many rounds of hashing the broker may ask for. Fewer than 4,096 make the exchange easy to
    ///     break by guessing; each 100,000 cost about a twentieth of a second.
    public init(username: String, password: String, iterations: ClosedRange<Int> = 4_096...1_000_000) {
        self.username = username
        self.password = password
        self.iterations = iterations
    }

    /// Begins an exchange with a nonce of its own. Wrong data of the broker, and a broker that does not prove itself, end it.
    public func start() -> any AuthenticationExchange {
        SCRAMExchange(
            SCRAMClient(username: username, password: password, iterations: iterations, nonce: SCRAM.nonce()))
    }
}

/// Carries the messages of one SCRAM exchange.
private final class SCRAMExchange: AuthenticationExchange, @unchecked Sendable {
    // Unchecked: its calls come one after another, as the protocol says.
    private var client: SCRAMClient

    init(_ client: SCRAMClient) { self.client = client }

    func begin() throws -> AuthenticationData { AuthenticationData(ByteBuffer(string: try client.first())) }

    func respond(to challenge: AuthenticationData) throws -> AuthenticationData {
        AuthenticationData(ByteBuffer(string: try client.final(answering: try Self.text(challenge))))
    }

    func finish(with last: AuthenticationData) throws { try client.verify(try Self.text(last)) }

    private static func text(_ message: AuthenticationData) throws -> String {
        let text = message.data?.withUnsafeReadableBytes {
            String(validating: $0.bindMemory(to: UInt8.self), as: UTF8.self)
        }
        guard let text = text ?? nil else { throw SCRAMFailure("the broker sent no SCRAM message") }
        return text
    }
}
