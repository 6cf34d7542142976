/// How a client secures its connection. The fields of the Python package's `TLSConfig`, and more.
///
/// Files are read at every connect, so that a replaced certificate is used without a restart. What can't be read or
/// does not fit together is an ``MQTTXError`` with code 1007 that names the file; nothing falls back to plaintext.
public struct TLSConfig: Sendable, Hashable {
    /// Whether TLS is used. Certificates given while it is off are an error.
    public var enabled: Bool
    /// File with the authorities to trust, PEM or DER. Without it and ``caCertificates`` the system's are trusted.
    public var caCerts: String?
    /// File with the client's certificate and those that lead to its authority, PEM or DER. Where it holds one alone, the
    /// others are taken from the authorities to trust. Needs ``keyFile``.
    public var certFile: String?
    /// File with the client certificate's private key, PEM or DER.
    public var keyFile: String?
    /// Whether the broker's certificate is verified.
    public var verifyMode: VerifyMode
    /// Whether the certificate must carry the name that was dialled. Off, the chain is still verified.
    public var checkHostname: Bool

    /// The authorities to trust, PEM or DER, in place of ``caCerts``.
    public var caCertificates: [UInt8]?
    /// The client's certificate chain, PEM or DER, in place of ``certFile``.
    public var certificateChain: [UInt8]?
    /// The private key, PEM or DER, in place of ``keyFile``.
    public var privateKey: [UInt8]?
    /// PKCS#12 file that holds certificate chain and key, in place of both.
    public var pkcs12File: String?
    /// Opens an encrypted private key or PKCS#12 file.
    public var passphrase: String?

    /// The protocols offered by ALPN, the preferred first. Nil offers `mqtt`, or `http/1.1` when MQTT runs over
    /// WebSocket; empty offers none. AWS IoT on port 443 wants `x-amzn-mqtt-ca`.
    public var applicationProtocols: [String]?
    /// The name to ask the server for and to verify, in place of the host that was dialled.
    public var serverName: String?
    /// The oldest version of TLS that is accepted.
    public var minimumVersion: Version
    /// The cipher suites for TLS 1.2, the preferred first; at least one. Nil leaves the library's choice.
    public var cipherSuites: [TLSCipherSuite]?

    /// Without arguments no TLS; with `enabled: true` TLS that trusts the system's authorities and checks the broker's name.
    public init(
        enabled: Bool = false, caCerts: String? = nil, certFile: String? = nil, keyFile: String? = nil,
        verifyMode: VerifyMode = .required, checkHostname: Bool = true,
        caCertificates: [UInt8]? = nil, certificateChain: [UInt8]? = nil, privateKey: [UInt8]? = nil,
        pkcs12File: String? = nil, passphrase: String? = nil,
        applicationProtocols: [String]? = nil, serverName: String? = nil,
        minimumVersion: Version = .v1_2, cipherSuites: [TLSCipherSuite]? = nil
    ) {
        self.enabled = enabled
        self.caCerts = caCerts
        self.certFile = certFile
        self.keyFile = keyFile
        self.verifyMode = verifyMode
        self.checkHostname = checkHostname
        self.caCertificates = caCertificates
        self.certificateChain = certificateChain
        self.privateKey = privateKey
        self.pkcs12File = pkcs12File
        self.passphrase = passphrase
        self.applicationProtocols = applicationProtocols
        self.serverName = serverName
        self.minimumVersion = minimumVersion
        self.cipherSuites = cipherSuites
    }

    /// TLS with the defaults: the system's authorities, certificate and host name verified.
    public static let systemDefault = TLSConfig(enabled: true)

    /// Whether the peer's certificate is verified; the raw values are the Python package's.
    public enum VerifyMode: String, Sendable, Hashable, CaseIterable {
        /// The certificate must lead to a trusted authority.
        case required = "CERT_REQUIRED"
        /// For a client the same as ``required``: a server always presents a certificate.
        case optional = "CERT_OPTIONAL"
        /// Nothing is verified, the host name neither: anyone in between can read and change everything.
        case none = "CERT_NONE"
    }

    /// A version of TLS.
    public enum Version: Sendable, Hashable {
        /// TLS 1.2 (RFC 5246): the oldest that is spoken.
        case v1_2
        /// TLS 1.3 (RFC 8446).
        case v1_3
    }
}
