/// The lines that the README shows, run.
enum TenLines: Example {
    static let name = "readme"
    static let summary = "the ten lines of the README"

    static func run(_ broker: BrokerAddress) async throws {
        try await runReadMe(host: broker.host, port: broker.port)
    }
}
