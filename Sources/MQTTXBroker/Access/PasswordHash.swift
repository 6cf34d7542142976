import Crypto
import CryptoExtras
import Foundation
import NIOPosix

/// One hashed password, as `mosquitto_passwd` writes it.
struct PasswordHash: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// `$6$salt$hash`: SHA-512 over password and salt.
        case sha512
        /// `$7$iterations$salt$hash`: PBKDF2 with HMAC-SHA-512.
        case pbkdf2(iterations: Int)
    }

    let kind: Kind
    let salt: [UInt8]
    let hash: [UInt8]

    /// What is compared where there is no such user.
    static let placeholder = PasswordHash(
        kind: .pbkdf2(iterations: 101), salt: [UInt8](repeating: 0, count: 12), hash: [UInt8](repeating: 0, count: 64))

    init(kind: Kind, salt: [UInt8], hash: [UInt8]) {
        self.kind = kind
        self.salt = salt
        self.hash = hash
    }

    init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0].isEmpty, let salt = Self.decode(parts[parts.count - 2]),
            let hash = Self.decode(parts[parts.count - 1]), !hash.isEmpty
        else { return nil }
        switch (parts[1], parts.count) {
        case ("6", 4):
            kind = .sha512
        case ("7", 5):
            guard let iterations = Int(parts[2]), (1...PasswordFile.maximumIterations).contains(iterations) else {
                return nil
            }
            kind = .pbkdf2(iterations: iterations)
        default:
            return nil
        }
        self.salt = salt
        self.hash = hash
    }

    private static func decode(_ text: Substring) -> [UInt8]? { Data(base64Encoded: String(text)).map(Array.init) }

    func matches(_ password: [UInt8]) -> Bool {
        let computed: [UInt8]
        switch kind {
        case .sha512:
            computed = Array(SHA512.hash(data: password + salt))
        case .pbkdf2(let iterations):
            guard
                let key = try? KDF.Insecure.PBKDF2.deriveKey(
                    from: password, salt: salt, using: .sha512, outputByteCount: hash.count,
                    unsafeUncheckedRounds: iterations)
            else { return false }
            computed = key.withUnsafeBytes { Array($0) }
        }
        return Self.isEqual(computed, hash)
    }

    /// Off the caller's thread: this takes milliseconds on purpose.
    func matchesOnThread(_ password: [UInt8]) async -> Bool {
        (try? await NIOThreadPool.singleton.runIfActive { matches(password) }) ?? false
    }

    /// In a time that does not tell where the first difference is.
    static func isEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
