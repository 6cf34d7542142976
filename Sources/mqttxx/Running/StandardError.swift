import Foundation

/// What is meant for people alone.
enum StandardError {
    /// Whether somebody is looking: colour and progress are for them.
    static let isTerminal = isatty(STDERR_FILENO) == 1

    static func write(_ line: String) {
        var line = line + "\n"
        line.withUTF8 { _ = Foundation.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    static func warn(_ text: String) { write("warning: \(text)") }

    /// Shown to a person, and to nobody else.
    static func progress(_ text: String) {
        guard isTerminal else { return }
        write("\u{1B}[2m\(text)\u{1B}[0m")
    }
}
