import Foundation
import TestSupport
import Testing

@Suite("Every public symbol is documented", .timeLimit(.minutes(2)))
struct PublicSymbolsTests {
    @Test("All that the libraries offer has a documentation comment")
    func documented() throws {
        let sources = Checkout.root.appending(path: "Sources")
        let paths = try #require(FileManager.default.enumerator(atPath: sources.path)?.allObjects as? [String])
        var count = 0
        for path in paths where path.hasSuffix(".swift") && !path.hasPrefix("mqttxx/") {
            let symbols = PublicSymbols(source: try String(contentsOf: sources.appending(path: path), encoding: .utf8))
            #expect(symbols.undocumented.isEmpty, "Sources/\(path)")
            count += symbols.count
        }
        #expect(count > 500)
    }

    @Test(
        "A declaration without a comment is found",
        arguments: [
            ("public struct A {}", 1), ("/// An A.\npublic struct A {}", 0),
            ("/// An A.\n@frozen\npublic struct A {\n    public var b = 1\n}", 1),
            (
                "/// An A.\npublic enum A {\n    case b\n    /// C.\n    case c, d\n    func e() {}\n}\nenum F {\n    case g\n}",
                1
            ),
            ("/// An A.\npublic enum A {\n    indirect case b(A)\n}", 1), ("public import NIOCore", 0),
            ("    @inlinable public static func a() {}", 1), ("    static public let a = 1", 1),
            ("struct A {\n    var b = 1\n    package func c() {}\n}", 0),
        ])
    func found(source: String, count: Int) {
        #expect(PublicSymbols(source: source).undocumented.count == count)
    }
}
