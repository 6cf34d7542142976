import NIOSSL
import SwiftASN1
import X509

/// Who the peer is by the certificate that it proved to own.
package struct PeerCertificate: Sendable, Hashable {
    /// The subject's common name; nil when it has none, or more than one.
    package let commonName: String?
    /// The whole subject, in the notation of RFC 4514.
    package let subject: String
    /// The certificate, DER.
    package let bytes: [UInt8]

    init?(_ certificate: NIOSSLCertificate) {
        guard let bytes = try? certificate.toDERBytes(), let parsed = try? Certificate(derEncoded: bytes) else {
            return nil
        }
        let commonNames = parsed.subject.flatMap { $0 }.filter { $0.type == .RDNAttributeType.commonName }
        commonName = commonNames.count == 1 ? commonNames.first.flatMap { String($0.value) } : nil
        subject = String(describing: parsed.subject)
        self.bytes = bytes
    }
}
