import MQTTCore
import NIOSSL

/// A certificate chain with its private key.
struct TLSIdentity {
    let chain: [NIOSSLCertificate]
    let key: NIOSSLPrivateKey
    /// Where they came from, for messages.
    let name: String

    /// Nil when nothing is given. A certificate without its key, and the other way round, is an error.
    init?(chain: TLSSource?, key: TLSSource?, pkcs12: String?, passphrase: String?) throws(MQTTXError) {
        if let pkcs12 {
            guard chain == nil && key == nil else {
                throw MQTTXError(.tlsFailed, "both \(pkcs12) and a certificate or key beside it are given")
            }
            (self.chain, self.key) = try TLSMaterial.bundle(pkcs12, passphrase: passphrase)
            name = pkcs12
            return
        }
        switch (chain, key) {
        case (nil, nil): return nil
        case (let chain?, nil):
            throw MQTTXError(.tlsFailed, "\(chain.name) is given without its private key")
        case (nil, let key?):
            throw MQTTXError(.tlsFailed, "\(key.name) is given without its certificate")
        case (let chain?, let key?):
            self.chain = try TLSMaterial.certificates(chain)
            self.key = try TLSMaterial.privateKey(key, passphrase: passphrase)
            name = "\(chain.name) and \(key.name)"
        }
    }

    init(chain: [NIOSSLCertificate], key: NIOSSLPrivateKey, name: String) {
        self.chain = chain
        self.key = key
        self.name = name
    }

    func apply(to configuration: inout TLSConfiguration) {
        configuration.certificateChain = chain.map { .certificate($0) }
        configuration.privateKey = .privateKey(key)
    }
}
