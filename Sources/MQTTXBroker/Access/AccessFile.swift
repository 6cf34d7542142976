import Foundation
import MQTTCore

/// What password and ACL files have in common.
enum AccessFile {
    static func read(_ path: String, failure code: ErrorCode) throws(MQTTXError) -> String {
        do {
            return try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw MQTTXError(code, "cannot read \(path): \(error.localizedDescription)", cause: error)
        }
    }

    /// The lines that say something, without the space around them, each with its number.
    ///
    /// Cut at bytes: to Swift, a carriage return and a line feed are one character, which is no line feed.
    static func lines(_ contents: String) -> [(number: Int, text: Substring)] {
        contents.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
            .compactMap { index, line in
                var line = line
                while let last = line.last, isSpace(last) { line.removeLast() }
                line = line.drop(while: isSpace)
                return line.isEmpty || line.first == UInt8(ascii: "#") ? nil : (index + 1, Substring(line))
            }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
