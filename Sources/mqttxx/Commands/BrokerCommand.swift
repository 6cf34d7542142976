import ArgumentParser
import MQTTXBroker
import UnixSignals

struct BrokerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "broker",
        abstract: "Run a broker, for development, tests and the edge.",
        discussion: """
            Prints one line a listener when it is ready; runs until SIGINT or SIGTERM. Nothing outlives it.
            SIGHUP has the password file and the ACL file read again.

            Examples:
              mqttxx broker
              mqttxx broker --port 0 --ws-port 9001 --password-file users --acl-file rules
              mqttxx broker --host 0.0.0.0 --no-tcp --tls-port 8883 --cert server.pem --key server.key
              mqttxx broker --config broker.yaml
            """)

    @OptionGroup(title: "Listeners") var listeners: ListenerOptions
    @OptionGroup(title: "Access") var access: AccessOptions
    @OptionGroup(title: "Limits") var limits: LimitOptions

    @Option(parsing: .unconditional, help: "A file with options, or a pipe: the names of the long flags, in YAML.")
    var config: String?

    @Flag(name: .shortAndLong, help: "Say every packet on standard error, without payloads.")
    var debug = false

    func run() async throws {
        do {
            // Nothing has to be kept: with very many clients it goes without a word to the last of them.
            try await endingOnSignals(patience: 1.8, lastStatus: 0) { try await serve() }
        } catch is Interruption {
            // The way a broker ends.
        }
    }

    private func serve() async throws {
        var config = BrokerConfig(listeners: try listeners.listeners())
        try access.apply(to: &config)
        limits.apply(to: &config)
        config.logger = ConsoleLogHandler.brokerLogger(isDebugging: debug)
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        let broker = try await Broker.start(config)
        do {
            for address in broker.addresses { try StandardOutput.write(line: "listening on \(address)") }
            for await _ in hangups { reload(config, broker) }
        } catch {
            try await broker.stop()
            throw error
        }
        try await broker.stop()
    }

    /// A file that can't be used is told, and what it said before stays in force.
    private func reload(_ config: BrokerConfig, _ broker: Broker) {
        do {
            try (config.authenticator as? PasswordFile)?.reload()
            try (config.authorizer as? ACLFile)?.reload()
        } catch {
            StandardError.warn("\(error)")
        }
        broker.accessRulesChanged()
    }
}
