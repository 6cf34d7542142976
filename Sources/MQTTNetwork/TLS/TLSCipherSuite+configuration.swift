import MQTTCore
import NIOSSL

extension TLSCipherSuite {
    private var cipher: NIOTLSCipher {
        switch self {
        case .ecdheECDSAWithAES128GCM: .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        case .ecdheECDSAWithAES256GCM: .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        case .ecdheECDSAWithChaCha20: .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        case .ecdheRSAWithAES128GCM: .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        case .ecdheRSAWithAES256GCM: .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        case .ecdheRSAWithChaCha20: .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        case .rsaWithAES128GCM: .TLS_RSA_WITH_AES_128_GCM_SHA256
        case .rsaWithAES256GCM: .TLS_RSA_WITH_AES_256_GCM_SHA384
        }
    }

    /// Typed, because the library ends the program over a name that it does not know.
    static func apply(_ suites: [TLSCipherSuite]?, to configuration: inout TLSConfiguration) throws(MQTTXError) {
        guard let suites else { return }
        guard !suites.isEmpty else { throw MQTTXError(.tlsFailed, "the list of cipher suites is empty") }
        configuration.cipherSuiteValues = suites.map(\.cipher)
    }
}
