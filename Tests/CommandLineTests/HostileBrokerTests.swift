import Foundation
import Testing

@Suite("Brokers that misbehave", .timeLimit(.minutes(2)))
struct HostileBrokerTests {
    enum Behaviour: String, CaseIterable, Sendable {
        case closesAtOnce, closesAfterConnect, closesAfterConnack, answersRubbish, rubbishAfterConnack
    }

    static let commands: [[String]] = [
        ["pub", "-t", "a", "-m", "x", "-q", "1"], ["call", "a", "b", "--timeout", "5"], ["emit", "a", "1"], ["demo"],
        ["ping", "a", "-C", "1"], ["bench", "pub", "-t", "a", "-q", "1", "-C", "10"], ["bench", "recv", "-t", "a"],
    ]

    @Test("Every command ends by itself with one line, whatever the broker does", arguments: Behaviour.allCases)
    func ends(_ behaviour: Behaviour) async throws {
        let peer = try HostilePeer { connection in
            switch behaviour {
            case .closesAtOnce: return
            case .closesAfterConnect: _ = connection.read()
            case .closesAfterConnack:
                _ = connection.read()
                connection.write(connection.connack)
            case .answersRubbish:
                connection.write(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
                _ = connection.read()
            case .rubbishAfterConnack:
                _ = connection.read()
                connection.write(connection.connack + [0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
                _ = connection.read()
            }
        }
        for command in Self.commands {
            let result = try await Tool.run(command + ["-h", "127.0.0.1", "-p", "\(peer.port)"])
            // A call goes on while the client reconnects, and may end at its own deadline.
            #expect([10, 20, 32].contains(result.status), "\(command): \(result)")
            #expect(
                result.errors.hasPrefix("error: [") && result.errors.filter(\.isNewline).count == 1, "\(result.errors)")
        }
        for command in [["sub", "-t", "a"], ["listen", "a"]] {
            let result = try await Tool.run(command + ["-W", "1", "-h", "127.0.0.1", "-p", "\(peer.port)"])
            #expect([10, 27].contains(result.status), "\(command): \(result)")
        }
    }

    @Test(
        "A message at QoS 0 that a broker does not take is an error",
        arguments: [["pub", "-t", "a", "-s"], ["emit", "a", "-", "-q", "0"]])
    func notTaken(command: [String]) async throws {
        let peer = try HostilePeer { connection in
            _ = connection.read()
            connection.write(connection.connack)
            _ = connection.read()
        }
        // More than sockets keep.
        let message = [UInt8]("\"\(String(repeating: "x", count: 16 << 20))\"".utf8)
        let result = try await Tool.run(command + ["-h", "127.0.0.1", "-p", "\(peer.port)"], input: message)
        #expect(result.status == 10)
        #expect(result.errors.hasPrefix("error: [CONNECTION_LOST]"), "\(result.errors)")
    }

    @Test(
        "A CONNECT that the broker refuses is no connection, whatever the reason code", arguments: [0x90, 0x95, 0x82])
    func refusedConnect(_ reason: Int) async throws {
        let peer = try HostilePeer { connection in
            _ = connection.read()
            connection.write([0x20, 3, 0, UInt8(reason), 0])
            _ = connection.read()
        }
        for command in [["pub", "-t", "a", "-m", "x"], ["sub", "-t", "a"]] {
            let line = ["-V", "5", "--will-topic", "w", "-h", "127.0.0.1", "-p", "\(peer.port)"]
            let result = try await Tool.run(command + line)
            #expect(result.status == 10, "\(result.errors)")
            #expect(result.errors.hasPrefix("error: [") && result.errors.filter(\.isNewline).count == 1)
        }
    }

    @Test("A line that the broker refuses keeps no other back, and decides on the exit code")
    func refusedLine() async throws {
        let peer = try HostilePeer { connection in
            _ = connection.read()
            connection.write(connection.connack)
            var lines: [UInt8] = []
            while lines.count < 4 * 9 { lines += connection.read() }
            for (index, start) in stride(from: 0, to: lines.count, by: 9).enumerated() {
                let packetID = lines[start + 5...start + 6]
                connection.write([0x40, 4] + packetID + [index == 1 ? 0x87 : 0, 0])
            }
            _ = connection.read()
        }
        let line = ["pub", "-t", "l", "-q", "1", "-l", "-V", "5", "-h", "127.0.0.1", "-p", "\(peer.port)"]
        let result = try await Tool.run(line, input: Array("1\n2\n3\n4\n".utf8))
        #expect(result.status == 40)
        let errors = result.errors.split(separator: "\n")
        #expect(errors.count == 2 && errors[0].hasPrefix("warning: [PERMISSION_DENIED]"), "\(errors)")
    }

    @Test("Whoever reconnects says why", arguments: ["5", "3.1.1"])
    func malformedAnswers(_ version: String) async throws {
        let peer = try HostilePeer { connection in
            _ = connection.read()
            connection.write(connection.connack)
            let packetID = connection.read().dropFirst(2).prefix(2)
            // Two answers to one question.
            connection.write(version == "5" ? [0x90, 5] + packetID + [0, 0, 0] : [0x90, 4] + packetID + [0, 0])
            _ = connection.read()
        }
        let tool = try RunningTool(["sub", "-t", "a", "-V", version, "-h", "127.0.0.1", "-p", "\(peer.port)"])
        var errors = tool.errorLines.makeAsyncIterator()
        for _ in 0..<2 {
            let line = try #require(await errors.next())
            #expect(line.hasPrefix("warning: [") && line.contains("filters") && line.hasSuffix("; connecting again"))
        }
        tool.interrupt()
        #expect(await tool.status() == 130)
    }

    @Test("A broker that never answers does not keep a command from ending by a signal, or by -W")
    func silence() async throws {
        for command in [
            ["pub", "-t", "a", "-m", "x"], ["sub", "-t", "a"], ["serve", "a"], ["bench", "conn"], ["demo"],
        ] {
            let (connected, continuation) = AsyncStream.makeStream(of: Void.self)
            let peer = try HostilePeer { connection in
                continuation.yield()
                while !connection.read().isEmpty {}
            }
            let tool = try RunningTool(command + ["-h", "127.0.0.1", "-p", "\(peer.port)"])
            _ = await connected.first { _ in true }
            tool.interrupt()
            #expect(await tool.status() == 130)
        }
        let peer = try HostilePeer { connection in while !connection.read().isEmpty {} }
        let window = try await Tool.run(["sub", "-t", "a", "-W", "0.5", "-h", "127.0.0.1", "-p", "\(peer.port)"])
        #expect(window.status == 27)
    }
}
