import Foundation
import Testing

@Suite("The tables of clauses tell the truth", .timeLimit(.minutes(2)))
struct ClauseTableTests {
    static let tables = [ClauseTable.mqtt5, .mqtt311]

    @Test("Every clause is there once for each side that it binds", arguments: tables)
    func complete(table: ClauseTable) throws {
        let found = try table.rows().flatMap { row in
            (row.side == "both" ? ["client", "server"] : [row.side]).map { "\(row.clause) \($0)" }
        }
        #expect(found.sorted() == table.expected.sorted())
    }

    @Test("Every row says what it asks, and has a test or a reason", arguments: tables)
    func substantial(table: ClauseTable) throws {
        for row in try table.rows() {
            #expect(row.summary.count > 10, "\(row.clause)")
            #expect(!row.tests.isEmpty || (row.reason?.count ?? 0) > 10, "\(row.clause)")
        }
    }

    @Test("Every test that is named is there, and names the clause", arguments: tables)
    func held(table: ClauseTable) throws {
        let sources = try TestSources()
        for row in try table.rows() {
            let clause = table.prefix + row.clause.dropFirst("MQTT-".count)
            for test in row.tests {
                let mentioned = try #require(sources.clauses(of: test), "\(row.clause): there is no \(test)")
                #expect(mentioned.contains(clause), "\(test) does not name \(clause)")
            }
        }
    }

    @Test(
        "Clauses are found in the ways that they are written",
        arguments: [
            ("[MQTT-3.1.2-4]", ["MQTT-3.1.2-4"]),
            ("(MQTT-1.5.4-1, -2, MQTT311-4.2-1)", ["MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT311-4.2-1"]),
            ("MQTT-3.1.2-10", ["MQTT-3.1.2-10"]), ("section 3.1.2, MQTT", []),
        ])
    func mentions(text: String, clauses: [String]) {
        #expect(TestSources.mentions(text) == Set(clauses))
    }
}
