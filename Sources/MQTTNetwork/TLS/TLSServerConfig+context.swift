package import MQTTCore
package import NIOSSL

extension TLSServerConfig {
    /// The context for new connections, from files read now.
    package func makeServerContext(for transport: TLSConfig.Transport = .mqtt) throws(MQTTXError) -> NIOSSLContext {
        let source = TLSSource(file: caFile, bytes: caCertificates, name: "the CA certificates")
        let authorities = try source.map { (source) throws(MQTTXError) in try TLSMaterial.certificates(source) }
        let identity = try TLSIdentity(
            chain: TLSSource(file: certFile, bytes: certificateChain, name: "the server certificate"),
            key: TLSSource(file: keyFile, bytes: privateKey, name: "the private key"),
            pkcs12: pkcs12File, passphrase: passphrase)?.completed(from: authorities ?? [])
        guard let identity else {
            throw MQTTXError(.tlsFailed, "a TLS listener needs a certificate and its private key")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: identity.chain.map { .certificate($0) }, privateKey: .privateKey(identity.key))
        configuration.minimumTLSVersion = minimumVersion.version
        configuration.applicationProtocols = [transport.applicationProtocol]
        configuration.shutdownTimeout = TLSMaterial.shutdownTimeout
        try TLSCipherSuite.apply(cipherSuites, to: &configuration)
        if let authorities {
            configuration.trustRoots = .certificates(authorities)
            configuration.certificateVerification =
                requireClientCertificate ? .noHostnameVerification : .optionalVerification
            configuration.sendCANameList = true
        } else if requireClientCertificate {
            throw MQTTXError(.tlsFailed, "client certificates are required, but no CA file says whose are accepted")
        }
        return try TLSMaterial.context(configuration, identity: identity)
    }

    /// The files whose replacement calls for a new context.
    var files: [String] { [certFile, keyFile, caFile, pkcs12File].compactMap(\.self) }
}
