import Foundation

/// What a source file declares for users, as its text shows it.
struct PublicSymbols {
    /// The declarations without a documentation comment, each with its line.
    let undocumented: [String]
    let count: Int

    init(source: String) {
        let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
        let declaration = #/^(@\S+ )*((static|final|nonisolated) )*public (?!import |extension )/#
        let publicEnum = #/^(@\S+ )*public (indirect )?enum .*\{$/#
        let enumCase = #/^(indirect )?case /#
        var undocumented: [String] = []
        var count = 0
        /// How far the public enum around us is indented.
        var indentation: Int?
        for (index, line) in lines.enumerated() {
            let text = line.drop { $0 == " " }
            let depth = line.count - text.count
            if depth == indentation, text == "}" { indentation = nil }
            let isCase = indentation.map { depth == $0 + 4 } == true && text.contains(enumCase)
            if text.contains(publicEnum) { indentation = depth }
            guard isCase || text.contains(declaration) else { continue }
            count += 1
            let above = lines[..<index].last { !$0.drop { $0 == " " }.hasPrefix("@") } ?? ""
            if !above.drop(while: { $0 == " " }).hasPrefix("///") { undocumented.append("\(index + 1): \(text)") }
        }
        self.undocumented = undocumented
        self.count = count
    }
}
