import Foundation

/// The sources of all tests of this checkout, to look up what a test says of itself.
struct TestSources {
    private var files: [String: String] = [:]

    init() throws {
        let root = ClauseTable.root.appending(path: "Tests")
        for target in try FileManager.default.contentsOfDirectory(atPath: root.path) {
            let paths = FileManager.default.enumerator(atPath: root.appending(path: target).path)?.allObjects ?? []
            for case let path as String in paths where path.hasSuffix("Tests.swift") {
                let suite = URL(filePath: path).deletingPathExtension().lastPathComponent
                files["\(target).\(suite)"] = try String(
                    contentsOf: root.appending(path: "\(target)/\(path)"), encoding: .utf8)
            }
        }
    }

    /// The clauses that a test names in its display name, or in its file if it has a table; nil if there is no such test.
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
        return Self.mentions(own.contains("arguments:") ? source : String(own))
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
