/// How a listener secures its connections.
///
/// Replaced files take effect for new connections, without a restart; while new files can't be used, the old
/// certificate stays in place and the log tells why.
public struct TLSServerConfig: Sendable, Hashable {
    /// File with the certificate and those that lead to its authority, PEM or DER. Where it holds one alone, the others are taken
    /// from the authorities for client certificates.
    public var certFile: String?
    /// File with the private key, PEM or DER.
    public var keyFile: String?
    /// File with the authorities whose client certificates are accepted, PEM or DER.
    public var caFile: String?
    /// Whether a client without a certificate of those authorities is turned away. Without it, a client may come
    /// without a certificate, but not with a bad one.
    public var requireClientCertificate: Bool

    /// The certificate chain, PEM or DER, in place of ``certFile``.
    public var certificateChain: [UInt8]?
    /// The private key, PEM or DER, in place of ``keyFile``.
    public var privateKey: [UInt8]?
    /// The authorities for client certificates, PEM or DER, in place of ``caFile``.
    public var caCertificates: [UInt8]?
    /// PKCS#12 file that holds certificate chain and key, in place of both.
    public var pkcs12File: String?
    /// Opens an encrypted private key or PKCS#12 file.
    public var passphrase: String?
    /// The oldest version of TLS that is accepted.
    public var minimumVersion: TLSConfig.Version
    /// The cipher suites for TLS 1.2, the preferred first; at least one. Nil leaves the library's choice.
    public var cipherSuites: [TLSCipherSuite]?

    /// TLS with a certificate and its key, from files or memory; client certificates are asked for where authorities are named.
    public init(
        certFile: String? = nil, keyFile: String? = nil, caFile: String? = nil, requireClientCertificate: Bool = false,
        certificateChain: [UInt8]? = nil, privateKey: [UInt8]? = nil, caCertificates: [UInt8]? = nil,
        pkcs12File: String? = nil, passphrase: String? = nil, minimumVersion: TLSConfig.Version = .v1_2,
        cipherSuites: [TLSCipherSuite]? = nil
    ) {
        self.certFile = certFile
        self.keyFile = keyFile
        self.caFile = caFile
        self.requireClientCertificate = requireClientCertificate
        self.certificateChain = certificateChain
        self.privateKey = privateKey
        self.caCertificates = caCertificates
        self.pkcs12File = pkcs12File
        self.passphrase = passphrase
        self.minimumVersion = minimumVersion
        self.cipherSuites = cipherSuites
    }
}
