public import MQTTCore
import Synchronization

/// A password file in mosquitto's format, as `mosquitto_passwd` writes it: `user:$7$iterations$salt$hash` (PBKDF2 with
/// SHA-512) or `user:$6$salt$hash` (SHA-512).
///
/// ```swift
/// config.authenticator = try PasswordFile(path: "/etc/mosquitto/passwd")
/// ```
public final class PasswordFile: Authenticator {
    private let path: String?
    private let entries: Mutex<[UTF8Key: PasswordHash]>
    /// More rounds than this in a file are a mistake, or an attempt to stall.
    static let maximumIterations = 10_000_000

    /// Reads a file.
    ///
    /// - Throws: `MQTTXError` with code `.authenticationFailed` that names the file and line which can't be used.
    public init(path: String) throws(MQTTXError) {
        self.path = path
        entries = Mutex(try Self.parse(AccessFile.read(path, failure: .authenticationFailed), name: path))
    }

    /// Takes the contents of such a file.
    public init(contents: String) throws(MQTTXError) {
        path = nil
        entries = Mutex(try Self.parse(contents, name: "the password file"))
    }

    /// Reads the file again. When it can't be used the old entries stay.
    public func reload() throws(MQTTXError) {
        guard let path else { return }
        let new = try Self.parse(AccessFile.read(path, failure: .authenticationFailed), name: path)
        entries.withLock { $0 = new }
    }

    /// Accepts the users of the file with their passwords.
    public func authenticate(_ attempt: ConnectAttempt) async -> AuthenticationResult {
        // An empty password is none, whatever the file says.
        guard let username = attempt.username, let password = attempt.password, !password.isEmpty else {
            return .refused()
        }
        let known = entries.withLock { $0[UTF8Key(username)] }
        // An unknown user costs as much time as a known one.
        let hash = known ?? PasswordHash.placeholder
        let isRight = await hash.matchesOnThread(password)
        return known != nil && isRight ? .accepted() : .refused()
    }

    private static func parse(_ contents: String, name: String) throws(MQTTXError) -> [UTF8Key: PasswordHash] {
        var entries: [UTF8Key: PasswordHash] = [:]
        for (number, text) in AccessFile.lines(contents) {
            guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")), colon > text.startIndex else {
                throw MQTTXError(.authenticationFailed, "\(name), line \(number): no user name before a colon")
            }
            guard let hash = PasswordHash(String(text[text.utf8.index(after: colon)...])) else {
                throw MQTTXError(.authenticationFailed, "\(name), line \(number): the hash is of no known kind")
            }
            entries[UTF8Key(String(text[..<colon]))] = hash
        }
        return entries
    }
}
