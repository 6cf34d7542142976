import ArgumentParser
import MQTTX
import MQTTXBroker

/// Whom `broker` lets in, and what they may do.
struct AccessOptions: ParsableArguments {
    @Option(parsing: .unconditional, help: "User names and passwords, as mosquitto_passwd writes them.")
    var passwordFile: String?

    @Option(parsing: .unconditional, help: "Who may publish and subscribe to what, in mosquitto's format.")
    var aclFile: String?

    @Flag(help: "Turn away clients that don't say who they are, on loopback too.")
    var noAnonymous = false

    @Flag(help: "Let clients in that don't say who they are, on listeners that the whole network reaches too.")
    var allowAnonymous = false

    mutating func validate() throws {
        if noAnonymous, allowAnonymous {
            throw ValidationError("--no-anonymous and --allow-anonymous exclude each other")
        }
    }

    func apply(to config: inout BrokerConfig) throws {
        config.anonymous = noAnonymous ? .never : allowAnonymous ? .always : .onLoopback
        do throws(MQTTXError) {
            if let passwordFile { config.authenticator = try PasswordFile(path: passwordFile) }
            if let aclFile { config.authorizer = try ACLFile(path: aclFile) }
        } catch {
            // A mistake of whoever starts the broker, not of a client.
            throw ValidationError(error.message)
        }
    }
}
