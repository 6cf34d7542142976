/// A cipher suite of TLS 1.2 by its registered name. Those of TLS 1.3 are all good and not for choosing.
public enum TLSCipherSuite: String, Sendable, Hashable, CaseIterable {
    /// Forward secrecy, for a certificate with a key on an elliptic curve; AES-128 in Galois/Counter Mode.
    case ecdheECDSAWithAES128GCM = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    /// Forward secrecy, for a certificate with a key on an elliptic curve; AES-256 in Galois/Counter Mode.
    case ecdheECDSAWithAES256GCM = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    /// Forward secrecy, for a certificate with a key on an elliptic curve; ChaCha20-Poly1305.
    case ecdheECDSAWithChaCha20 = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    /// Forward secrecy, for a certificate with an RSA key; AES-128 in Galois/Counter Mode.
    case ecdheRSAWithAES128GCM = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    /// Forward secrecy, for a certificate with an RSA key; AES-256 in Galois/Counter Mode.
    case ecdheRSAWithAES256GCM = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
    /// Forward secrecy, for a certificate with an RSA key; ChaCha20-Poly1305.
    case ecdheRSAWithChaCha20 = "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
    /// No forward secrecy: whoever gets the RSA key can read what was recorded; AES-128 in Galois/Counter Mode.
    case rsaWithAES128GCM = "TLS_RSA_WITH_AES_128_GCM_SHA256"
    /// No forward secrecy: whoever gets the RSA key can read what was recorded; AES-256 in Galois/Counter Mode.
    case rsaWithAES256GCM = "TLS_RSA_WITH_AES_256_GCM_SHA384"
}
