import Foundation

/// `benchmarks list`, `benchmarks time NAME…`, `benchmarks run NAME OPERATIONS`. People run `scripts/benchmark`.
@main
struct BenchmarksCommand {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        switch (arguments.first, arguments.count) {
        case ("list", 1):
            for group in groups {
                for benchmark in try group.value() { print(benchmark.name) }
            }
        case ("time", 2...):
            for name in arguments.dropFirst() {
                print(name, String(format: "%.1f", try benchmark(name).nanosecondsPerOperation()), separator: "\t")
            }
        case ("run", 3):
            guard let operations = Int(arguments[3]), operations > 0 else { throw Usage.operations }
            try benchmark(arguments[2]).run(operations)
        default:
            throw Usage.commands
        }
    }

    /// By the part of a name before the slash, so that nothing but what is asked for is set up.
    private static let groups: KeyValuePairs<String, @Sendable () throws -> [Benchmark]> = [
        "decode": decoding, "encode": encoding, "topic": topics, "trie": tries, "flight": flights,
        "dispatch": dispatching, "publish": publishing, "dual": dualForm, "envelope": envelopeForm,
        "native": nativeForm,
        "messagepack": messagePack, "value": values,
    ]

    private static func benchmark(_ name: String) throws -> Benchmark {
        let group = groups.first { name.hasPrefix("\($0.key)/") }
        guard let benchmark = try group?.value().first(where: { $0.name == name }) else { throw Usage.unknown(name) }
        return benchmark
    }
}

private enum Usage: Error, CustomStringConvertible {
    case commands, operations
    case unknown(String)

    var description: String {
        switch self {
        case .commands: "usage: benchmarks list | time NAME... | run NAME OPERATIONS"
        case .operations: "OPERATIONS is a number above 0"
        case .unknown(let name): "no benchmark is named '\(name)'; `benchmarks list` tells their names"
        }
    }
}
