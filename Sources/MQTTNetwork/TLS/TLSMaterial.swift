import MQTTCore
import NIOCore
import NIOSSL

/// Makes certificates, keys and contexts of bytes, and says in words what is wrong with them.
enum TLSMaterial {
    /// How long a closing connection waits for the peer's farewell.
    static let shutdownTimeout = TimeAmount.milliseconds(500)

    static func certificates(_ source: TLSSource) throws(MQTTXError) -> [NIOSSLCertificate] {
        let bytes = try source.read()
        do {
            if isPEM(bytes) {
                let certificates = try NIOSSLCertificate.fromPEMBytes(bytes)
                if !certificates.isEmpty { return certificates }
            } else {
                return [try NIOSSLCertificate(bytes: bytes, format: .der)]
            }
        } catch {
            throw MQTTXError(.tlsFailed, "\(source.name) holds no valid certificate (PEM or DER)", cause: error)
        }
        throw MQTTXError(.tlsFailed, "\(source.name) holds no certificate")
    }

    static func privateKey(_ source: TLSSource, passphrase: String?) throws(MQTTXError) -> NIOSSLPrivateKey {
        let bytes = try source.read()
        do {
            // Without a callback the library would ask at the terminal.
            return try NIOSSLPrivateKey(bytes: bytes, format: isPEM(bytes) ? .pem : .der) { set in
                guard let passphrase else { throw NoPassphrase() }
                set(Array(passphrase.utf8))
            }
        } catch {
            let isEncrypted = contains("ENCRYPTED", in: bytes)
            let reason =
                switch (isEncrypted, passphrase) {
                case (true, nil): "is encrypted and no passphrase is given"
                case (true, _): "does not open with the passphrase given"
                case (false, _): "holds no valid private key (PEM or DER)"
                }
            throw MQTTXError(.tlsFailed, "\(source.name) \(reason)", cause: error)
        }
    }

    static func bundle(
        _ file: String, passphrase: String?
    ) throws(MQTTXError) -> ([NIOSSLCertificate], NIOSSLPrivateKey) {
        guard let source = TLSSource(file: file, bytes: nil, name: file) else {
            throw MQTTXError(.tlsFailed, "no PKCS#12 file is given")
        }
        let bytes = try source.read()
        do {
            let bundle = try NIOSSLPKCS12Bundle(buffer: bytes, passphrase: passphrase.map { Array($0.utf8) })
            return (bundle.certificateChain, bundle.privateKey)
        } catch {
            let hint = passphrase == nil ? "or needs a passphrase" : "or the passphrase is wrong"
            throw MQTTXError(.tlsFailed, "\(file) is no valid PKCS#12 file, \(hint)", cause: error)
        }
    }

    static func context(
        _ configuration: TLSConfiguration, identity: TLSIdentity?
    ) throws(MQTTXError) -> NIOSSLContext {
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            // The key was read well before: what the library does not like is the two of them together.
            if let identity, error as? NIOSSLError == .failedToLoadPrivateKey {
                throw MQTTXError(
                    .tlsFailed, "\(identity.name): the private key does not belong to the certificate", cause: error)
            }
            let subject = identity.map { " with \($0.name)" } ?? ""
            throw MQTTXError(.tlsFailed, "TLS can't be set up\(subject): \(TLSFailure.words(for: error))", cause: error)
        }
    }

    private struct NoPassphrase: Error {}

    private static func isPEM(_ bytes: [UInt8]) -> Bool { contains("-----BEGIN ", in: bytes) }

    private static func contains(_ text: StaticString, in bytes: [UInt8]) -> Bool {
        text.withUTF8Buffer { bytes.firstRange(of: $0) != nil }
    }
}
