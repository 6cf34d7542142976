import Foundation
import TestSupport

/// One of the pages in `docs/conformance`.
struct ClauseTable: Sendable, CustomStringConvertible {
    /// A clause, the side it binds, and what holds it there.
    struct Row {
        let clause: String
        let side: String
        let summary: String
        /// As `swift test --filter` takes them: `Target.Suite/test`.
        let tests: [String]
        let reason: String?
    }

    let description: String
    let file: String
    /// How the tests name this specification's clauses.
    let prefix: String
    /// The clauses of each section in their order, one letter for each: the side that it binds, as in ``sides(_:)``.
    let sections: [String: String]

    /// c for a client, s for a server, b for both; a dash for a number that is not given out.
    static func sides(_ letter: Character) -> [String] {
        switch letter {
        case "c": ["client"]
        case "s": ["server"]
        case "b": ["client", "server"]
        default: []
        }
    }

    /// Each clause with each side that it binds.
    var expected: [String] {
        sections.flatMap { section, letters in
            zip(1..., letters).flatMap { number, letter in
                Self.sides(letter).map { "MQTT-\(section)-\(number) \($0)" }
            }
        }
    }

    func rows() throws -> [Row] {
        let text = try String(contentsOf: Checkout.root.appending(path: "docs/conformance/\(file)"), encoding: .utf8)
        return text.split(separator: "\n").filter { $0.hasPrefix("| MQTT") }.map { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            let held = cells.count == 4 ? cells[3] : ""
            let isReason = held.hasPrefix("— ")
            return Row(
                clause: cells[0], side: cells.count > 1 ? cells[1] : "", summary: cells.count > 2 ? cells[2] : "",
                tests: isReason ? [] : held.matches(of: /`([^`]+)`/).map { String($0.1) },
                reason: isReason ? String(held.dropFirst(2)) : nil)
        }
    }

    static let mqtt5 = ClauseTable(
        description: "MQTT 5.0", file: "mqtt-5.0.md", prefix: "MQTT-",
        sections: [
            "1.5.4": "bbb", "1.5.5": "b", "1.5.7": "b", "2.1.3": "b", "2.2.1": "-bcsbs", "2.2.2": "b", "3.1.0": "bs",
            "3.1.2": "bssbssssbsbbbssbbbbccsbssssssc", "3.1.3": "bbbbssssssbb", "3.1.4": "ssssss", "3.2.0": "ss",
            "3.2.2": "sssccssssscssccsccsscs", "3.3.1": "bbsbsssssssss", "3.3.2": "bbssssbbccssbbssssbs",
            "3.3.4": "bssssbccss", "3.4.2": "bbb", "3.5.2": "bbb", "3.6.1": "b", "3.6.2": "bbb", "3.7.2": "bbb",
            "3.8.1": "b", "3.8.3": "bbsbs", "3.8.4": "ssssssss", "3.9.2": "ss", "3.9.3": "ss", "3.10.1": "b",
            "3.10.3": "bb", "3.10.4": "ssssss", "3.11.2": "ss", "3.11.3": "ss", "3.12.4": "s", "3.14.0": "s",
            "3.14.1": "b", "3.14.2": "bbbb", "3.14.4": "bbs", "3.15.1": "b", "3.15.2": "bbb", "4.1.0": "bs", "4.2": "b",
            "4.3.1": "b", "4.3.2": "bbbbb", "4.3.3": "bbbbbbbbbbbbb", "4.4.0": "bb", "4.5.0": "sc", "4.6.0": "ccccss",
            "4.7.0": "b", "4.7.1": "bb", "4.7.2": "s", "4.7.3": "bbbs", "4.8.2": "bbssss", "4.9.0": "bbb",
            "4.12.0": "sscsbsc", "4.12.1": "cb", "4.13.1": "s", "4.13.2": "b", "6.0.0": "bbcs",
        ])

    static let mqtt311 = ClauseTable(
        description: "MQTT 3.1.1", file: "mqtt-3.1.1.md", prefix: "MQTT311-",
        sections: [
            "1.5.3": "bbb", "2.2.2": "bb", "2.3.1": "bccsbbs", "3.1.0": "bs", "3.1.2": "sssbsbssbsbsbbbssbbbbbcs",
            "3.1.3": "bbbbsscssbb", "3.1.4": "sssss", "3.2.0": "s", "3.2.2": "ssssss", "3.3.1": "bbsbssssssss",
            "3.3.2": "bbs", "3.3.4": "b", "3.3.5": "ss", "3.6.1": "b", "3.8.1": "b", "3.8.3": "bsbs", "3.8.4": "ssssss",
            "3.9.3": "sb", "3.10.1": "b", "3.10.3": "bb", "3.10.4": "ssssss", "3.12.4": "s", "3.14.1": "s",
            "3.14.4": "ccs", "4.1.0": "bb", "4.3.1": "b", "4.3.2": "bb", "4.3.3": "bb", "4.4.0": "b", "4.5.0": "sc",
            "4.6.0": "ccccss", "4.7.1": "bbb", "4.7.2": "s", "4.7.3": "bbbs", "4.8.0": "bb", "6.0.0": "bbcs",
            "7.0.0": "sb", "7.1.1": "s", "7.1.2": "c",
        ])
}
