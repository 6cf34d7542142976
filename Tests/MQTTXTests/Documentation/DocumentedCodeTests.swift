import Foundation
import TestSupport
import Testing

@Suite("Code in documentation comments compiles", .timeLimit(.minutes(2)))
struct DocumentedCodeTests {
    @Test("Every line of Swift in a documentation comment, but for those left open by …, is one that is built")
    func built() throws {
        let lines = try Set(Self.lines(of: "Tests/MQTTXTests/Documentation/DocumentedCode.swift"))
        let sources = Checkout.root.appending(path: "Sources")
        let paths = try #require(FileManager.default.enumerator(atPath: sources.path)?.allObjects as? [String])
        var count = 0
        // Examples/ProtobufMessages.swift is built in place of what would need generated code.
        for path in paths where path.hasSuffix(".swift") && !path.hasPrefix("MQTTXProtobuf/") {
            for line in Self.examples(in: try Self.lines(of: "Sources/\(path)")) where !line.contains("…") {
                let isBuilt = lines.contains(line)
                #expect(isBuilt, "Sources/\(path): \(line)")
                count += 1
            }
        }
        #expect(count > 30)
    }

    private static func lines(of path: String) throws -> [String] {
        try String(contentsOf: Checkout.root.appending(path: path), encoding: .utf8).split(separator: "\n").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
    }

    /// What stands between fences that say Swift.
    private static func examples(in lines: [String]) -> [String] {
        var isInside = false
        return lines.compactMap { line in
            guard line.hasPrefix("///") else { return nil }
            let text = line.dropFirst(3).trimmingCharacters(in: .whitespaces)
            if text.hasPrefix("```") {
                isInside = text == "```swift"
                return nil
            }
            return isInside && !text.isEmpty ? text : nil
        }
    }
}
