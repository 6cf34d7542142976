import Crypto
import Foundation
import MQTTCore
import MQTTSCRAM

/// Enhanced authentication by SCRAM-SHA-256 (RFC 7677): the password never travels, and the server proves that it knows it.
///
/// ```swift
/// config.enhancedAuthenticators = [SCRAMSHA256(users: ["edge": try .init(password: "secret")])]
/// ```
public struct SCRAMSHA256: EnhancedAuthenticator {
    /// The name of the method.
    public let method = "SCRAM-SHA-256"
    private let users: [String: Credential]

    /// The method for these users, by name.
    public init(users: [String: Credential]) { self.users = users }

    /// Begins the exchange with one client.
    public func begin(_ attempt: ConnectAttempt) -> any EnhancedAuthentication { SCRAMExchange(users: users) }

    /// What is kept of a password.
    public struct Credential: Sendable, Hashable {
        let salt: [UInt8]
        let iterations: Int
        let storedKey: [UInt8]
        let serverKey: [UInt8]

        /// Derives it from a password; fewer than 4,096 iterations become 4,096. Without a salt one is drawn.
        ///
        /// - Throws: an error of swift-crypto, should the derivation fail.
        public init(password: String, iterations: Int = 4096, salt: [UInt8]? = nil) throws {
            self.iterations = max(4096, iterations)
            self.salt = salt ?? (0..<16).map { _ in UInt8.random(in: .min ... .max) }
            let salted = try SCRAM.saltedPassword(
                SCRAM.prepared(password) ?? password, salt: self.salt, iterations: self.iterations)
            storedKey = Array(SHA256.hash(data: SCRAM.hmac(salted, Array("Client Key".utf8))))
            serverKey = SCRAM.hmac(salted, Array("Server Key".utf8))
        }
    }
}

/// One exchange: client-first, server-first, client-final, server-final (RFC 5802, section 5).
struct SCRAMExchange: EnhancedAuthentication {
    private enum Stage: Sendable {
        case first
        case final(user: String, credential: SCRAMSHA256.Credential?, nonce: String, bare: String, serverFirst: String)
        case over
    }

    private let users: [String: SCRAMSHA256.Credential]
    private var stage = Stage.first
    private let serverNonce: String

    init(users: [String: SCRAMSHA256.Credential], nonce: String? = nil) {
        self.users = users
        serverNonce = nonce ?? Data((0..<18).map { _ in UInt8.random(in: .min ... .max) }).base64EncodedString()
    }

    mutating func receive(_ data: [UInt8]?) async -> EnhancedAuthenticationStep {
        guard let data, let text = String(validating: data, as: UTF8.self) else { return end("no SCRAM message") }
        switch stage {
        case .first: return first(text)
        case .final(let user, let credential, let nonce, let bare, let serverFirst):
            return final(text, user, credential, nonce, bare, serverFirst)
        case .over: return end("the exchange is over")
        }
    }

    private mutating func first(_ text: String) -> EnhancedAuthenticationStep {
        // No channel binding: the header is `n,,` or `y,,`.
        guard text.hasPrefix("n,,") || text.hasPrefix("y,,") else { return end("channel binding is not supported") }
        let bare = String(text.dropFirst(3))
        let fields = SCRAM.fields(bare)
        guard let name = fields["n"], let clientNonce = fields["r"], !clientNonce.isEmpty else {
            return end("no user name or nonce")
        }
        var user = name.replacingOccurrences(of: "=2C", with: ",").replacingOccurrences(of: "=3D", with: "=")
        let known = users.index(forKey: user).map { users[$0] }
        let credential = known?.value
        // Whoever may spell the name in another way has the name that is known here.
        if let known { user = known.key }
        // An unknown user is told no sooner than one with a wrong password; its salt stays the same.
        let salt = credential?.salt ?? Array(SHA256.hash(data: Array(user.utf8)).prefix(16))
        let nonce = clientNonce + serverNonce
        let reply = "r=\(nonce),s=\(Data(salt).base64EncodedString()),i=\(credential?.iterations ?? 4096)"
        stage = .final(user: user, credential: credential, nonce: nonce, bare: bare, serverFirst: reply)
        return .challenge(Array(reply.utf8))
    }

    private mutating func final(
        _ text: String, _ user: String, _ credential: SCRAMSHA256.Credential?, _ nonce: String, _ bare: String,
        _ serverFirst: String
    ) -> EnhancedAuthenticationStep {
        let fields = SCRAM.fields(text)
        guard let binding = fields["c"], binding == "biws" || binding == "eSws", fields["r"] == nonce,
            let proof = fields["p"].flatMap({ Data(base64Encoded: $0) }), proof.count == 32,
            let proofStart = text.range(of: ",p=", options: .backwards)
        else { return end("a SCRAM message that does not fit") }
        guard let credential else { return end("user name or password is wrong") }
        let message = Array("\(bare),\(serverFirst),\(text[..<proofStart.lowerBound])".utf8)
        let signature = SCRAM.hmac(credential.storedKey, message)
        let clientKey = zip(proof, signature).map { $0 ^ $1 }
        guard PasswordHash.isEqual(Array(SHA256.hash(data: clientKey)), credential.storedKey) else {
            return end("user name or password is wrong")
        }
        stage = .over
        let verifier = Data(SCRAM.hmac(credential.serverKey, message)).base64EncodedString()
        return .accepted(identity: user, data: Array("v=\(verifier)".utf8))
    }

    private mutating func end(_ reason: String) -> EnhancedAuthenticationStep {
        stage = .over
        return .refused(.notAuthorized, reason: reason)
    }
}
