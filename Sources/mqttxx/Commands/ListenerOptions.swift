import ArgumentParser
import MQTTNetwork
import MQTTX
import MQTTXBroker

/// Where `broker` listens. Options that are repeated add listeners.
struct ListenerOptions: ParsableArguments {
    @Option(
        name: [.customShort("h"), .long], parsing: .unconditionalSingleValue,
        help: "An address to listen on. (repeatable; default: 127.0.0.1)")
    var host: [String] = []

    @Option(name: .shortAndLong, help: "A port for TCP; 0 is a free one. (repeatable; default: 1883)")
    var port: [ListenPort] = []

    @Flag(help: "No listener for plain TCP.")
    var noTcp = false

    @Option(help: "A port for WebSocket. (repeatable)")
    var wsPort: [ListenPort] = []

    @Option(help: "A port for TLS. (repeatable)")
    var tlsPort: [ListenPort] = []

    @Option(help: "A port for secure WebSocket. (repeatable)")
    var wssPort: [ListenPort] = []

    @Option(parsing: .unconditional, help: "The only path that WebSockets may ask for. (default: any)")
    var wsPath: String?

    @Option(parsing: .unconditionalSingleValue, help: "A Unix socket to listen on. (repeatable)")
    var unix: [String] = []

    @Option(parsing: .unconditional, help: "File with the broker's certificate chain.")
    var cert: String?

    @Option(parsing: .unconditional, help: "File with the certificate's private key.")
    var key: String?

    @Option(parsing: .unconditional, help: "PKCS#12 file with both, certificate chain and key.")
    var p12: String?

    @Option(
        parsing: .unconditional,
        help: "The password of that file, or of an encrypted key. MQTTXX_P12_PASSWORD keeps it out of sight.")
    var p12Password: String?

    @Option(parsing: .unconditional, help: "File with the authorities of client certificates.")
    var cafile: String?

    @Flag(help: "Turn clients away that bring no certificate.")
    var requireClientCert = false

    mutating func validate() throws {
        if p12 != nil, cert != nil || key != nil { throw ValidationError("--p12 and --cert exclude each other") }
        if !tlsPort.isEmpty || !wssPort.isEmpty, p12 == nil, cert == nil || key == nil {
            throw ValidationError("TLS needs --cert and --key, or --p12")
        }
        if tlsPort.isEmpty, wssPort.isEmpty, cert != nil || key != nil || p12 != nil || cafile != nil {
            throw ValidationError("--cert, --key, --p12 and --cafile need --tls-port or --wss-port")
        }
        if let wsPath, !wsPath.hasPrefix("/") { throw ValidationError("--ws-path begins with /") }
        if requireClientCert, cafile == nil { throw ValidationError("--require-client-cert needs --cafile") }
        if noTcp, !port.isEmpty { throw ValidationError("--no-tcp and --port exclude each other") }
    }

    func listeners() throws -> [BrokerListener] {
        let tls = TLSServerConfig(
            certFile: cert, keyFile: key, caFile: cafile, requireClientCertificate: requireClientCert,
            pkcs12File: p12, passphrase: p12Password ?? Environment.text("P12_PASSWORD"))
        let plain = noTcp ? [] : port.isEmpty ? [ListenPort.standard] : port
        var listeners: [BrokerListener] = []
        for host in host.isEmpty ? ["127.0.0.1"] : host {
            listeners += plain.map { .tcp(host: host, port: $0.port) }
            listeners += wsPort.map { .webSocket(host: host, port: $0.port, path: wsPath) }
            listeners += tlsPort.map { .tls(host: host, port: $0.port, tls) }
            listeners += wssPort.map { .webSocket(host: host, port: $0.port, path: wsPath, tls: tls) }
        }
        listeners += unix.map { .unix($0) }
        guard !listeners.isEmpty else { throw ValidationError("there is nothing to listen on") }
        return listeners
    }
}

/// A port to listen on: 0 to 65,535.
struct ListenPort: ExpressibleByArgument, Sendable {
    static let standard = ListenPort(port: 1_883)
    let port: Int

    private init(port: Int) { self.port = port }

    init?(argument: String) {
        guard let port = UInt16(argument) else { return nil }
        self.port = Int(port)
    }
}
