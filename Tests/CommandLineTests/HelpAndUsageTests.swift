import Foundation
import Testing

@Suite("Help and usage", .timeLimit(.minutes(2)))
struct HelpAndUsageTests {
    static let commands: [[String]] = [
        [], ["demo"], ["broker"], ["pub"], ["sub"], ["call"], ["serve"], ["emit"], ["listen"], ["ping"], ["bench"],
        ["bench", "recv"], ["bench", "pub"], ["bench", "rpc"], ["bench", "conn"],
    ]

    @Test("Every command has help with an example, as --help and by the command help", arguments: commands)
    func help(_ command: [String]) throws {
        let help = try #require(Tool.ending(command + ["--help"]))
        #expect(help.status == 0)
        let lines = help.text.split(separator: "\n")
        // An example is a line by itself, and not one of those that begin with USAGE.
        let example = (["mqttxx"] + command).joined(separator: " ") + " "
        #expect(lines.contains { $0.hasPrefix("  " + example) }, "\(help.text)")
        #expect(lines.allSatisfy { $0.count <= 80 })
        let same = try #require(Tool.ending(["help"] + command))
        #expect(same == help)
    }

    @Test("Help goes to standard output, mistakes go to standard error")
    func streams() async throws {
        for arguments in [["--help"], ["help", "pub"], ["sub", "--help"], ["--version"]] {
            let result = try await Tool.run(arguments)
            #expect(result.status == 0 && !result.output.isEmpty && result.errors.isEmpty)
        }
        for arguments in [["pub", "-t", "a"], ["pub", "-t", "a", "-f", "/no/such"], ["pub", "-t", "a", "-f", "/"]] {
            let result = try await Tool.run(arguments)
            #expect(result.status == 64 && result.output.isEmpty)
            #expect(result.errors.hasPrefix("error: [USAGE] ") && result.errors.filter(\.isNewline).count == 1)
        }
    }

    @Test(
        "A mistake on the command line is one line on standard error that names it, and exit code 64",
        arguments: [
            (["pub", "-t", "a"], "-m"), (["pub", "-m", "x"], "-t"), (["pub", "-t", "a", "-m", "x", "-n"], "-n"),
            (["pub", "-t", "a", "-m", "x", "-q", "3"], "-q"), (["pub", "-t", "a", "-m", "x", "-p", "0"], "-p"),
            (["pub", "-t", "a", "-m", "x", "-p", "65536"], "-p"), (["pub", "-t", "a", "-m", "x", "-V", "6"], "-V"),
            (["pub", "-t", "a", "-m", "x", "-c"], "-i"),
            (["pub", "-t", "a", "-m", "x", "--will-retain"], "--will-topic"),
            (["pub", "-t", "a", "-m", "x", "-x", "-2"], "-x"), (["pub", "-t", "a", "-m", "x", "-k", "70000"], "-k"),
            (["pub", "-t", "a", "-m", "x", "-L", "http://a"], "-L"),
            (["pub", "-t", "a", "-m", "x", "--user-property", "x"], "--user-property"),
            (["pub", "-t", "a", "-m", "x", "--cert", "c"], "--key"), (["pub", "-t", "a", "-m", "x", "extra"], "extra"),
            (["sub"], "-t"), (["sub", "-t", "a", "-C", "0"], "-C"), (["sub", "-t", "a", "-W", "x"], "-W"),
            (["sub", "-t", "a", "-F", "%z"], "-F"), (["sub", "-t", "a", "-F", "%5"], "-F"),
            (["sub", "-t", "a", "-F", "\\q"], "-F"), (["sub", "-t", "a", "-R", "--retained-only"], "--retained-only"),
            (["sub", "-t", "a", "-o", "xml"], "-o"), (["sub", "-t", "a", "-F", "%p", "-o", "json"], "-F"),
            (["sub", "-t", "a", "--random-filter", "0"], "--random-filter"),
            (["call", "a"], "<method>"), (["call", "a", "b", "--form", "x"], "--form"),
            (["call", "a", "b", "--codec", "x"], "--codec"), (["call", "a", "b", "--count", "0"], "--count"),
            (["serve"], "<topic>"), (["serve", "a", "--exec", "x"], "--exec"),
            (["serve", "a", "--group", "a/b"], "--group"),
            (["emit"], "<topic>"), (["listen"], "<pattern>"), (["ping"], "<topic>"), (["ping", "a", "-C", "x"], "-C"),
            (["bench", "recv"], "--topic"), (["bench", "pub", "-t", "a", "--numbered", "-s", "5"], "--size"),
            (["broker", "--port", "70000"], "--port"), (["broker", "--tls-port", "0"], "--cert"),
            (["broker", "--no-anonymous", "--allow-anonymous"], "--no-anonymous"),
            (["broker", "--deny-subscribe", "a#"], "--deny-subscribe"),
            (["broker", "--response-information", "a/+"], "--response-information"),
            (["broker", "--max-keepalive", "0"], "--max-keepalive"),
            (["broker", "--max-packet-size", "19"], "--max-packet-size"),
            (["broker", "--max-inflight", "65536"], "--max-inflight"), (["broker", "--threads", "9999"], "--threads"),
            (["broker", "--connect-timeout", "0"], "--connect-timeout"),
            (["broker", "--cert", "c", "--key", "k"], "--tls-port"),
            (["broker", "--ws-port", "0", "--ws-path", "mqtt"], "--ws-path"),
            (["broker", "--tls-port", "0", "--p12", "p", "--cert", "c"], "--p12"),
            (["pub", "-t", "a", "-m", "x", "--p12", "p", "--cert", "c", "--key", "k"], "--p12"),
            (["sub", "-t", "a", "-W", "0"], "-W"),
            (["sub", "-t", "a", "-D", "connect", "receive-maximum", "0"], "receive-maximum"),
            (["sub", "-t", "a", "-D", "connect", "maximum-packet-size", "0"], "maximum-packet-size"),
            (["pub", "-t", "a", "-m", "x", "-D", "publish", "payload-format-indicator", "2"], "payload-format"),
            (["broker", "--require-client-cert"], "--cafile"), (["broker", "--max-qos", "3"], "--max-qos"),
            (["nonsense"], "nonsense"), (["--nonsense"], "--nonsense"),
        ] as [([String], String)])
    func usage(_ arguments: [String], _ name: String) throws {
        let ending = try #require(Tool.ending(arguments))
        #expect(ending.status == 64)
        #expect(ending.text.hasPrefix("[USAGE] ") && ending.text.contains(name), "\(ending.text)")
        #expect(!ending.text.contains { $0.isNewline || $0 == "\0" })
    }

    @Test(
        "A first connection that fails ends every command with exit code 10",
        arguments: [
            ["pub", "-t", "a", "-m", "x"], ["sub", "-t", "a"], ["call", "a", "b"], ["serve", "a"], ["emit", "a"],
            ["listen", "a"], ["ping", "a"], ["demo"], ["bench", "recv", "-t", "a"], ["bench", "pub", "-t", "a"],
            ["bench", "rpc", "-t", "a"], ["bench", "conn"],
        ])
    func refusedConnection(_ command: [String]) async throws {
        // Nobody listens on port 1 of this machine.
        let result = try await Tool.run(command + ["-p", "1"])
        #expect(result.status == 10)
        #expect(result.output.isEmpty)
        #expect(result.errors.hasPrefix("error: [CONNECTION_FAILED] "))
        #expect(result.errors.filter(\.isNewline).count == 1)
    }

    @Test("A name that is not known is said to be")
    func unknownName() async throws {
        let result = try await Tool.run(["pub", "-h", "nowhere.invalid", "-t", "a", "-m", "x"])
        #expect(result.status == 10)
        #expect(result.errors.contains("nowhere.invalid"))
    }

    @Test("--quiet keeps errors back, not their exit code")
    func quiet() async throws {
        let result = try await Tool.run(["pub", "-p", "1", "-t", "a", "-m", "x", "--quiet"])
        #expect(result.status == 10)
        #expect(result.errors.isEmpty)
    }
}
