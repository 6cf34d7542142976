import Foundation
import TestSupport

/// The sources of all tests of this checkout, to look up what a test says of itself.
struct TestSources {
    private var files: [String: String] = [:]

    init() throws {
        let root = Checkout.root.appending(path: "Tests")
        for target in try FileManager.default.contentsOfDirectory(atPath: root.path) {
            let paths = FileManager.default.enumerator(atPath: root.appending(path: target).path)?.allObjects ?? []
            for case let path as String in paths where path.hasSuffix("Tests.swift") {
                let suite = URL(filePath: path).deletingPathExtension().lastPathComponent
                files["\(target).\(suite)"] = try String(
                    contentsOf: root.appending(path: "\(target)/\(path)"), encoding: .utf8)
            }
        }
    }

    /// The clauses that a test names in its display name or in its table; nil if there is no such test.
    func clauses(of test: String) -> Set<String>? {
        let parts = test.split(separator: "/")
        guard parts.count == 2, let source = files[String(parts[0])],
            let function = source.range(of: "func \(parts[1])("),
            let attribute = source.range(
                of: "@Test", options: .backwards, range: source.startIndex..<function.lowerBound)
        else { return nil }
        let own = source[attribute.lowerBound..<function.lowerBound]
        // No other function between the two: the attribute is this one's.
        guard !own.contains("func ") else { return nil }
        return Self.mentions(own + Self.tables(of: own, in: source))
    }

    /// The declarations that a test takes its arguments from.
    private static func tables(of attribute: Substring, in source: String) -> String {
        guard let arguments = attribute.range(of: "arguments:") else { return "" }
        let names = attribute[arguments.upperBound...].matches(of: /[a-z]\w*/).map { String($0.output) }
        return Set(names).map { name in
            guard let start = source.range(of: "let \(name):") else { return "" }
            let rest = source[start.lowerBound...]
            return String(rest[..<(rest.range(of: "\n\n")?.lowerBound ?? rest.endIndex)])
        }.joined()
    }

    /// All clauses in a text; `MQTT-3.1.2-4, -6` are two of them.
    static func mentions(_ text: String) -> Set<String> {
        var clauses: Set<String> = []
        // A display name may go over several lines.
        let text = text.replacing("\\\n", with: "").replacing(/[ ]+/, with: " ")
        for match in text.matches(of: /(MQTT(?:311)?-[0-9.]+)-([0-9]+)((?:, -[0-9]+)*)/) {
            clauses.insert("\(match.1)-\(match.2)")
            for more in match.3.split(separator: ", ") { clauses.insert("\(match.1)\(more)") }
        }
        return clauses
    }
}
