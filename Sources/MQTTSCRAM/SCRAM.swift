internal import Crypto
internal import CryptoExtras
internal import Foundation

/// The pieces of SCRAM-SHA-256 (RFC 5802, RFC 7677) that both sides share.
package enum SCRAM {
    /// Hi() of RFC 5802: the password, hashed with salt, so many times.
    package static func saltedPassword(_ password: String, salt: [UInt8], iterations: Int) throws -> [UInt8] {
        let key = try KDF.Insecure.PBKDF2.deriveKey(
            from: Array(password.utf8), salt: salt, using: .sha256, outputByteCount: 32,
            unsafeUncheckedRounds: iterations)
        return key.withUnsafeBytes { Array($0) }
    }

    package static func hmac(_ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key)))
    }

    package static func hash(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

    /// Whether that is the code of the message, in the same time whatever the answer.
    package static func isValid(_ code: [UInt8], of message: [UInt8], key: [UInt8]) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: message, using: SymmetricKey(data: key))
    }

    /// 144 random bits as text.
    package static func nonce() -> String {
        Data((0..<18).map { _ in UInt8.random(in: .min ... .max) }).base64EncodedString()
    }

    package static func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    package static func bytes(base64 text: some StringProtocol) -> [UInt8]? {
        Data(base64Encoded: String(text)).map { Array($0) }
    }

    /// `a=1,b=2` as a table.
    package static func fields(_ text: String) -> [String: String] {
        var fields: [String: String] = [:]
        for part in text.split(separator: ",") where part.dropFirst().first == "=" {
            fields[String(part.prefix(1))] = String(part.dropFirst(2))
        }
        return fields
    }

    /// A name or password in the one form that looks the same to both sides (SASLprep, RFC 4013): compatibility
    /// characters composed, invisible ones gone.
    ///
    /// - Returns: nil if it is empty or holds a control character.
    package static func prepared(_ text: String) -> String? {
        let invisible: Set<Unicode.Scalar> = [
            "\u{AD}", "\u{34F}", "\u{1806}", "\u{180B}", "\u{180C}", "\u{180D}", "\u{200B}", "\u{200C}", "\u{200D}",
            "\u{2060}", "\u{FEFF}",
        ]
        var kept = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where !invisible.contains(scalar) {
            kept.append(scalar.properties.generalCategory == .spaceSeparator ? " " : scalar)
        }
        let prepared = String(kept).precomposedStringWithCompatibilityMapping
        let isAllowed = prepared.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        return isAllowed && !prepared.isEmpty ? prepared : nil
    }
}

/// Why an exchange ended.
package struct SCRAMFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
