import NIOSSL
import SwiftASN1
import X509

extension TLSIdentity {
    /// No chain is longer.
    private static let longestChain = 8

    /// The identity with the certificates behind a lone one, as far as the authorities have them: peers that trust the root
    /// alone need those between. The root itself is not sent.
    func completed(from authorities: [NIOSSLCertificate]) -> TLSIdentity {
        guard chain.count == 1, let leaf = Self.parsed(chain[0]) else { return self }
        let issuers = authorities.compactMap { certificate in Self.parsed(certificate).map { ($0, certificate) } }
        var completed = chain
        var last = leaf
        while completed.count < Self.longestChain, last.issuer != last.subject,
            let (issuer, certificate) = issuers.first(where: { issuer, _ in
                issuer.subject == last.issuer && issuer.subject != issuer.issuer
                    && issuer.publicKey.isValidSignature(last.signature, for: last)
            })
        {
            completed.append(certificate)
            last = issuer
        }
        return TLSIdentity(chain: completed, key: key, name: name)
    }

    private static func parsed(_ certificate: NIOSSLCertificate) -> Certificate? {
        (try? certificate.toDERBytes()).flatMap { try? Certificate(derEncoded: $0) }
    }
}
