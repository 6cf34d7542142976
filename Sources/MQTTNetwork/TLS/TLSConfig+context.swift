package import MQTTCore
import NIOCore
package import NIOSSL

extension TLSConfig {
    /// What the encrypted stream carries: it decides which protocol ALPN offers by default.
    package enum Transport: Sendable {
        case mqtt, webSocket

        var applicationProtocol: String { self == .mqtt ? "mqtt" : "http/1.1" }
    }

    /// Whether the owner of this configuration expects TLS; it may still turn out to be contradictory.
    package var isMeant: Bool { enabled || !materialNames.isEmpty }

    /// The context for one connection, from files read now.
    package func makeClientContext(for transport: Transport = .mqtt) throws(MQTTXError) -> NIOSSLContext {
        try checkForContradictions()
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = minimumVersion.version
        configuration.applicationProtocols = applicationProtocols ?? [transport.applicationProtocol]
        configuration.certificateVerification = verification
        configuration.shutdownTimeout = TLSMaterial.shutdownTimeout
        try TLSCipherSuite.apply(cipherSuites, to: &configuration)
        var authorities: [NIOSSLCertificate] = []
        if let source = TLSSource(file: caCerts, bytes: caCertificates, name: "the CA certificates") {
            authorities = try TLSMaterial.certificates(source)
            configuration.trustRoots = .certificates(authorities)
        }
        let identity = try TLSIdentity(
            chain: TLSSource(file: certFile, bytes: certificateChain, name: "the client certificate"),
            key: TLSSource(file: keyFile, bytes: privateKey, name: "the private key"),
            pkcs12: pkcs12File, passphrase: passphrase)?.completed(from: authorities)
        identity?.apply(to: &configuration)
        return try TLSMaterial.context(configuration, identity: identity)
    }

    /// The name for SNI and for the check of the certificate; nil for an IP address, which is checked as such.
    package func nameToVerify(for endpoint: Endpoint) -> String? {
        if let serverName { return serverName }
        switch endpoint {
        case .tcp(let host, _): return (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
        case .unix: return "localhost"
        }
    }

    /// The server name that was asked for and that the certificate has to carry; nil where nothing asks for one.
    var nameRequired: String? {
        guard let serverName, checkHostname, verifyMode != .none,
            (try? SocketAddress(ipAddress: serverName, port: 0)) == nil
        else { return nil }
        return serverName
    }

    /// The certificate settings that are there, by name.
    private var materialNames: [String] {
        [
            caCerts.map { "caCerts \($0)" }, certFile.map { "certFile \($0)" }, keyFile.map { "keyFile \($0)" },
            pkcs12File.map { "pkcs12File \($0)" }, caCertificates.map { _ in "caCertificates" },
            certificateChain.map { _ in "certificateChain" }, privateKey.map { _ in "privateKey" },
        ].compactMap(\.self)
    }

    private func checkForContradictions() throws(MQTTXError) {
        guard enabled else {
            let names = materialNames.joined(separator: ", ")
            throw MQTTXError(.tlsFailed, "TLS is off (enabled is false), yet it has \(names)")
        }
        if caCerts != nil && caCertificates != nil {
            throw MQTTXError(.tlsFailed, "both caCerts and caCertificates are given")
        }
        if let serverName, serverName.isEmpty {
            throw MQTTXError(.tlsFailed, "serverName is empty")
        }
        let offered = applicationProtocols ?? []
        guard offered.allSatisfy({ (1...255).contains($0.utf8.count) }) else {
            throw MQTTXError(.tlsFailed, "an ALPN protocol name has 1 to 255 bytes")
        }
    }

    private var verification: CertificateVerification {
        switch verifyMode {
        case .none: .none
        case .required, .optional: checkHostname ? .fullVerification : .noHostnameVerification
        }
    }
}

extension TLSConfig.Version {
    var version: TLSVersion {
        switch self {
        case .v1_2: .tlsv12
        case .v1_3: .tlsv13
        }
    }
}
