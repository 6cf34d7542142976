import Foundation
import Synchronization

/// What is meant for people alone.
enum StandardError {
    private static let quiet = Atomic(false)

    /// Whether errors and warnings are kept back: `--quiet`.
    static var isQuiet: Bool {
        get { quiet.load(ordering: .relaxed) }
        set { quiet.store(newValue, ordering: .relaxed) }
    }

    /// Whether somebody is looking: colour and progress are for them.
    static let isTerminal = isatty(STDERR_FILENO) == 1

    static func write(_ line: String) {
        var line = line + "\n"
        line.withUTF8 { _ = Foundation.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    static func error(_ text: String) { if !isQuiet { write("error: \(text)") } }
    static func warn(_ text: String) { if !isQuiet { write("warning: \(text)") } }

    /// Shown to a person, and to nobody else.
    static func progress(_ text: String) {
        guard isTerminal else { return }
        write("\u{1B}[2m\(text)\u{1B}[0m")
    }
}
