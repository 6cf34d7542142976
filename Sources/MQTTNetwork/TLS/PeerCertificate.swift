import NIOSSL
import SwiftASN1
import X509

/// Who the peer is by the certificate that it proved to own.
package struct PeerCertificate: Sendable, Hashable {
    /// The subject's common name; nil when it has none, or more than one.
    package let commonName: String?
    /// The whole subject, in the notation of RFC 4514.
    package let subject: String
    /// The host names that it is for, as it says: the first label may be `*`.
    package let dnsNames: [String]
    /// The certificate, DER.
    package let bytes: [UInt8]

    init?(_ certificate: NIOSSLCertificate) {
        guard let bytes = try? certificate.toDERBytes(), let parsed = try? Certificate(derEncoded: bytes) else {
            return nil
        }
        let commonNames = parsed.subject.flatMap { $0 }.filter { $0.type == .RDNAttributeType.commonName }
        commonName = commonNames.count == 1 ? commonNames.first.flatMap { String($0.value) } : nil
        subject = String(describing: parsed.subject)
        let alternatives = (try? parsed.extensions.subjectAlternativeNames).flatMap { $0 }
        dnsNames = (alternatives ?? SubjectAlternativeNames([])).compactMap {
            if case .dnsName(let name) = $0 { name } else { nil }
        }
        self.bytes = bytes
    }

    /// Whether the certificate is for that host (RFC 6125: a wildcard stands for exactly one whole first label).
    func isFor(_ host: String) -> Bool {
        let host = host.lowercased()
        return dnsNames.contains { name in
            let name = name.lowercased()
            guard name.hasPrefix("*."), let dot = host.firstIndex(of: "."), dot != host.startIndex else {
                return name == host
            }
            return host[dot...] == name.dropFirst()
        }
    }
}
