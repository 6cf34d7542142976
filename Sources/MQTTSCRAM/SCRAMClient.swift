/// The client's side of one exchange: client-first, server-first, client-final, server-final (RFC 5802, section 5).
package struct SCRAMClient {
    private enum Stage {
        case start
        case first(bare: String)
        case final(serverKey: [UInt8], message: [UInt8])
        case over
    }

    private let username: String
    private let password: String
    private let iterations: ClosedRange<Int>
    private let nonce: String
    private var stage = Stage.start

    /// - Parameters:
    ///   - iterations: how many the server may ask for.
    ///   - nonce: printable ASCII without comma, never used before.
    package init(username: String, password: String, iterations: ClosedRange<Int>, nonce: String) {
        self.username = username
        self.password = password
        self.iterations = iterations
        self.nonce = nonce
    }

    /// The first message: who we are. No channel is bound.
    package mutating func first() throws -> String {
        guard case .start = stage else { throw end("the exchange has begun already") }
        guard let name = SCRAM.prepared(username) else {
            throw end("the user name is empty or holds a control character")
        }
        let bare = "n=\(Self.escaped(name)),r=\(nonce)"
        stage = .first(bare: bare)
        return "n,,\(bare)"
    }

    /// The proof that we know the password, for the server's salt and number of iterations.
    package mutating func final(answering challenge: String) throws -> String {
        guard case .first(let bare) = stage else { throw end("a challenge out of turn") }
        let parts = challenge.split(separator: ",", omittingEmptySubsequences: false)
        // An extension that must be understood (`m=`) would come first.
        guard parts.count >= 3, parts[0].hasPrefix("r="), parts[1].hasPrefix("s="), parts[2].hasPrefix("i=") else {
            throw end("the broker's first message is not what SCRAM says")
        }
        let whole = parts[0].dropFirst(2)
        guard whole.utf8.starts(with: nonce.utf8), whole.utf8.count > nonce.utf8.count else {
            throw end("the broker's nonce does not begin with ours")
        }
        guard let salt = SCRAM.bytes(base64: parts[1].dropFirst(2)), !salt.isEmpty else {
            throw end("the broker's salt is no base64")
        }
        guard let count = Int(parts[2].dropFirst(2)), iterations.contains(count) else {
            throw end("the broker asks for \(parts[2].dropFirst(2).prefix(20)) iterations; \(iterations) are allowed")
        }
        guard let secret = SCRAM.prepared(password) else {
            throw end("the password is empty or holds a control character")
        }
        let salted = try SCRAM.saltedPassword(secret, salt: salt, iterations: count)
        let clientKey = SCRAM.hmac(salted, Array("Client Key".utf8))
        let withoutProof = "c=biws,r=\(whole)"
        let message = Array("\(bare),\(challenge),\(withoutProof)".utf8)
        let signature = SCRAM.hmac(SCRAM.hash(clientKey), message)
        let proof = zip(clientKey, signature).map { $0 ^ $1 }
        stage = .final(serverKey: SCRAM.hmac(salted, Array("Server Key".utf8)), message: message)
        return "\(withoutProof),p=\(SCRAM.base64(proof))"
    }

    /// Whether the server has proved that it knows the password.
    package mutating func verify(_ last: String) throws {
        guard case .final(let serverKey, let message) = stage else {
            throw end("the broker took us in without the exchange")
        }
        if last.hasPrefix("e=") { throw end("the broker says: \(last.dropFirst(2).prefix(100))") }
        guard last.hasPrefix("v="),
            let signature = SCRAM.bytes(base64: last.dropFirst(2).prefix { $0 != "," }),
            SCRAM.isValid(signature, of: message, key: serverKey)
        else { throw end("the broker has not proved that it knows the password") }
        stage = .over
    }

    private mutating func end(_ reason: String) -> SCRAMFailure {
        stage = .over
        return SCRAMFailure(reason)
    }

    private static func escaped(_ name: String) -> String {
        var escaped = ""
        for character in name.unicodeScalars {
            switch character {
            case "=": escaped += "=3D"
            case ",": escaped += "=2C"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}
