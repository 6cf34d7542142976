import NIOCore
import NIOSSL
import SwiftASN1
import X509

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A TLS handshake that failed, with what was known about the peer.
struct TLSFailure: Error {
    let underlying: any Error
    private let verification: String?

    init(_ underlying: any Error, peerCertificate: NIOSSLCertificate?) {
        self.underlying = underlying
        self.verification = peerCertificate.flatMap(Self.fault)
    }

    var words: String {
        let words = Self.words(for: underlying)
        guard let verification, words == Self.verificationFailed else { return words }
        return "the peer's certificate is not trusted: \(verification)"
    }

    private static let verificationFailed = "the peer's certificate is not trusted"

    /// Whether the error is one of TLS, rather than of the connection beneath.
    static func isTLS(_ error: any Error) -> Bool {
        if let error = error as? NIOSSLError { return error != .uncleanShutdown }
        return error is TLSFailure || error is BoringSSLError || error is NIOSSLExtraError
            || error is NIOSSLCloseTimedOutError
    }

    /// The library's error in words.
    static func words(for error: any Error) -> String {
        if let failure = error as? TLSFailure { return failure.words }
        if let error = error as? NIOSSLExtraError, error == .failedToValidateHostname {
            return "the certificate is for another host name"
        }
        if error is ChannelError { return "the peer closed the connection during the handshake" }
        if error is IOError { return NetworkFailure.words(for: error) }
        let text = String(describing: error)
        return known.first { text.contains($0.token) }?.words ?? reason(in: text) ?? text
    }

    /// The library's name for what it met, without the places in its sources.
    private static func reason(in text: String) -> String? {
        guard let marker = text.firstRange(of: "OPENSSL_internal:") else { return nil }
        let name = text[marker.upperBound...].prefix { $0.isUppercase || $0.isNumber || $0 == "_" }
        return name.lowercased().replacing("_", with: " ")
    }

    /// What the peer's certificate itself shows, when verification failed; the library keeps its reason to itself.
    private static func fault(of certificate: NIOSSLCertificate) -> String? {
        let now = time(nil)
        if certificate.notValidAfter < now { return "it has expired" }
        if certificate.notValidBefore > now { return "it is not valid yet" }
        guard let bytes = try? certificate.toDERBytes(), let parsed = try? Certificate(derEncoded: bytes) else {
            return nil
        }
        if parsed.issuer == parsed.subject { return "it is self-signed" }
        return "its issuer (\(parsed.issuer)) is unknown"
    }

    /// The most telling first: an error carries several of these at times.
    private static let known: [(token: String, words: String)] = [
        ("CERTIFICATE_VERIFY_FAILED", verificationFailed),
        ("CERTIFICATE_REQUIRED", "the peer demands a certificate from this side"),
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "the peer has sent no certificate"),
        ("ALERT_UNKNOWN_CA", "the peer does not know the authority of this side's certificate"),
        ("ALERT_BAD_CERTIFICATE", "the peer rejects this side's certificate"),
        ("ALERT_CERTIFICATE_EXPIRED", "the peer rejects this side's certificate: it has expired"),
        ("ALERT_CERTIFICATE_REVOKED", "the peer rejects this side's certificate: it was revoked"),
        ("ALERT_CERTIFICATE_UNKNOWN", "the peer rejects this side's certificate"),
        ("ALERT_UNSUPPORTED_CERTIFICATE", "the peer can't use this side's certificate"),
        ("ALERT_ACCESS_DENIED", "the peer denies access to the owner of this side's certificate"),
        ("NO_APPLICATION_PROTOCOL", "the peer supports none of the ALPN protocols offered"),
        ("UNRECOGNIZED_NAME", "the peer does not serve this host name"),
        ("WRONG_VERSION_NUMBER", "the peer does not speak TLS on this port"),
        ("HTTP_REQUEST", "the peer speaks plain HTTP, not TLS"),
        ("UNSUPPORTED_PROTOCOL", "no version of TLS is common to both sides"),
        ("PROTOCOL_VERSION", "no version of TLS is common to both sides"),
        ("NO_SHARED_CIPHER", "no cipher suite is common to both sides"),
        ("HANDSHAKE_FAILURE", "the peer finds no settings common to both sides"),
        ("DECRYPT_ERROR", "the peer could not verify this side's signature"),
        ("BAD_RECORD_MAC", "what the peer sent was damaged or forged"),
        ("EOF during handshake", "the peer closed the connection during the handshake"),
        ("uncleanShutdown", "the peer ended the connection without closing TLS"),
        ("cannotFindPeerIP", "the peer has no address that its certificate could be checked against"),
    ]
}
