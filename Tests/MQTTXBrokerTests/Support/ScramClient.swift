import Crypto
import Foundation
import MQTTSCRAM

/// The client's side of SCRAM-SHA-256.
enum ScramClient {
    static func final(first: String, server: String, password: String) throws -> (message: String, verifier: String) {
        let fields = SCRAM.fields(server)
        let salt = Array(Data(base64Encoded: fields["s"] ?? "") ?? Data())
        let salted = try SCRAM.saltedPassword(password, salt: salt, iterations: Int(fields["i"] ?? "") ?? 1)
        let clientKey = SCRAM.hmac(salted, Array("Client Key".utf8))
        let withoutProof = "c=biws,r=\(fields["r"] ?? "")"
        let message = Array("\(first),\(server),\(withoutProof)".utf8)
        let signature = SCRAM.hmac(Array(SHA256.hash(data: clientKey)), message)
        let proof = Data(zip(clientKey, signature).map { $0 ^ $1 }).base64EncodedString()
        let verifier = SCRAM.hmac(SCRAM.hmac(salted, Array("Server Key".utf8)), message)
        return ("\(withoutProof),p=\(proof)", "v=\(Data(verifier).base64EncodedString())")
    }
}
