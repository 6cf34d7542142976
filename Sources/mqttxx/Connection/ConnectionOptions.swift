import ArgumentParser

/// How to reach the broker: the same for every command that connects.
///
/// What is not given comes from the URL, then from the environment (`MQTTXX_HOST`, …), then from the defaults.
struct ConnectionOptions: ParsableArguments {
    @Option(
        name: [.customShort("h"), .long, .customLong("hostname")], parsing: .unconditional,
        help: "The broker's host. (default: 127.0.0.1)")
    var host: String?

    @Option(name: .shortAndLong, help: "The broker's port; 8883 by itself asks for TLS. (default: 1883; 8883 with TLS)")
    var port: PortArgument?

    @Option(
        name: [.customShort("i"), .long, .customLong("client-id")], parsing: .unconditional,
        help: "The client identifier. (default: a generated one)")
    var id: String?

    @Option(
        name: [.customShort("I"), .long], parsing: .unconditional,
        help: "A prefix for the client identifier; the process id follows.")
    var idPrefix: String?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "The user name.")
    var username: String?

    @Option(
        name: [.customShort("P"), .long, .customLong("pw")], parsing: .unconditional,
        help: "The password. MQTTXX_PASSWORD keeps it out of the list of processes.")
    var password: String?

    @Option(name: .shortAndLong, help: "Seconds of silence before a ping; 0 for none. (default: 60)")
    var keepalive: UInt16?

    @Option(
        name: [.customShort("V"), .long, .customLong("protocol-version")],
        help: "The version of MQTT: 5, 3.1.1, mqttv5 or mqttv311. (default: 5, and 3.1.1 where it is refused)")
    var mqttVersion: VersionArgument?

    @Flag(
        name: [.customShort("c"), .long, .customLong("no-clean")],
        help: "Keep the session from one connection to the next; needs --id.")
    var disableCleanSession = false

    @Option(
        name: [.customShort("x"), .long, .customLong("session-expiry-interval")], parsing: .unconditional,
        help: "Seconds that the broker keeps the session; -1 for ever. (default: for ever with -c, otherwise 0)")
    var sessionExpiry: ExpiryArgument?

    @Flag(help: "Encrypt, and trust the system's authorities.")
    var tls = false

    @Option(
        name: [.long, .customLong("ca")], parsing: .unconditional,
        help: "Encrypt, and trust the authorities in this file.")
    var cafile: String?

    @Option(parsing: .unconditional, help: "Encrypt, and trust the authorities in the files of this directory.")
    var capath: String?

    @Option(parsing: .unconditional, help: "File with the client's certificate.")
    var cert: String?

    @Option(parsing: .unconditional, help: "File with the client's private key.")
    var key: String?

    @Option(parsing: .unconditional, help: "PKCS#12 file with both, the client's certificate and key.")
    var p12: String?

    @Option(
        parsing: .unconditional,
        help: "The password of that file, or of an encrypted key. MQTTXX_P12_PASSWORD keeps it out of sight.")
    var p12Password: String?

    @Flag(help: "Encrypt, but verify neither the broker's certificate nor its name.")
    var insecure = false

    @Option(
        name: [.long, .customLong("alpn")], parsing: .unconditionalSingleValue, help: "The protocol to ask for by ALPN."
    )
    var tlsAlpn: [String] = []

    @Option(help: "The oldest version of TLS to take: tlsv1.2 or tlsv1.3.")
    var tlsVersion: String?

    @Option(parsing: .unconditional, help: "Cipher suites for TLS 1.2, by registered or OpenSSL name.")
    var ciphers: String?

    @Flag(help: .hidden)
    var tlsUseOsCerts = false

    @Option(help: .hidden)
    var keyform: String?

    @Option(help: "What carries the packets: mqtt, mqtts, ws or wss.")
    var `protocol`: ProtocolArgument?

    @Flag(help: "Connect by WebSocket.")
    var ws = false

    @Option(
        name: [.long, .customLong("path")], parsing: .unconditional, help: "The path of the WebSocket. (default: /mqtt)"
    )
    var wsPath: String?

    @Option(
        name: [.long, .customLong("ws-headers")], parsing: .unconditionalSingleValue,
        help: "A header of the WebSocket's request, NAME:VALUE. (repeatable)")
    var wsHeader: [NamedValue] = []

    @Option(parsing: .unconditional, help: "Connect to this Unix socket.")
    var unix: String?

    @Option(
        parsing: .unconditional,
        help: "A proxy: socks5h://[user:password@]host[:port] or http://[user:password@]host[:port].")
    var proxy: ProxyArgument?

    @Option(
        name: [.customShort("L"), .long], parsing: .unconditional,
        help: "All in one: mqtt[s]|ws[s]://user:password@host:port/topic.")
    var url: BrokerURL?

    @OptionGroup var will: WillOptions

    @Option(
        name: [.customShort("D"), .long], parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "An MQTT 5.0 property, as in -D publish content-type text/plain.",
            valueName: "packet> <name> <value"))
    var property: [PropertyAssignment] = []

    @Option(help: "How many unacknowledged messages the broker may send at once, in MQTT 5.0. (default: 1000)")
    var receiveMaximum: UInt16?

    @Option(help: "How many topic aliases the broker may use, in MQTT 5.0. (default: 16)")
    var topicAliasMaximum: UInt16?

    @Flag(help: .hidden)
    var nodelay = false

    @Flag(help: "Print no errors and no warnings.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Say every packet on standard error, without payloads.")
    var debug = false

    /// The URL, from the command line or the environment.
    var address: BrokerURL? { url ?? (try? Environment.value("URL")) }

    mutating func validate() throws {
        if id != nil, idPrefix != nil { throw ValidationError("-i and -I exclude each other") }
        if (id ?? Environment.text("ID")) == nil, idPrefix == nil {
            if keepsSession { throw ValidationError("-c keeps a session, and needs -i to find it again") }
            if sessionExpiry?.seconds == ExpiryArgument.forever.seconds {
                throw ValidationError("-x keeps a session for ever, and needs -i to find it again")
            }
        }
        if will.topic == nil, will.isGiven { throw ValidationError("a will needs --will-topic") }
        try validateTLS()
        if receiveMaximum == 0 { throw ValidationError("--receive-maximum is 1 to 65535") }
        _ = try Environment.value("URL", as: BrokerURL.self)
        for assignment in property { try assignment.check() }
        StandardError.isQuiet = quiet
    }

    private func validateTLS() throws {
        if let tlsVersion, !["tlsv1.2", "tlsv1.3"].contains(tlsVersion) {
            throw ValidationError("--tls-version is tlsv1.2 or tlsv1.3")
        }
        if let keyform, keyform != "pem" { throw ValidationError("--keyform is pem; engines are not supported") }
        let cert = cert ?? Environment.text("CERT")
        let key = key ?? Environment.text("KEY")
        if (cert == nil) != (key == nil) { throw ValidationError("--cert and --key need each other") }
        if cert != nil, (p12 ?? Environment.text("P12")) != nil {
            throw ValidationError("--p12 and --cert exclude each other")
        }
    }

    var keepsSession: Bool { disableCleanSession || Environment.isOn("DISABLE_CLEAN_SESSION") }

    /// What `-D subscribe subscription-identifier` says.
    var subscriptionIdentifier: Int? { property.compactMap(\.subscriptionIdentifier).last }
}
