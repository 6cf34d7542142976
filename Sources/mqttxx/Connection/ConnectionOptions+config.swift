import ArgumentParser
import Foundation
import MQTTX

extension ConnectionOptions {
    /// The largest payload that MQTT can carry: a user of a command line has no other limit in mind.
    static let largestPayload = 268_000_000

    /// What the options say, for a client.
    ///
    /// - Parameter reconnects: whether the command goes on when a connection is lost.
    func config(reconnects: Bool) throws -> MQTTConfig {
        let tls = try tlsConfig()
        var config = MQTTConfig(
            brokerHost: try host ?? url?.host ?? Environment.value("HOST") ?? "127.0.0.1",
            brokerPort: try (port?.port ?? url?.port ?? Environment.value("PORT", as: PortArgument.self)?.port)
                ?? (tls.enabled ? 8_883 : 1_883),
            clientID: clientID,
            keepAlive: .seconds(Int64(try keepalive ?? Environment.value("KEEPALIVE") ?? 60)),
            cleanSession: !disableCleanSession,
            version: try version(),
            tls: tls,
            auth: AuthConfig(
                username: username ?? url?.username ?? Environment.text("USERNAME"),
                password: password ?? url?.password ?? Environment.text("PASSWORD")),
            reconnect: ReconnectConfig(enabled: reconnects, interval: .seconds(1), maxInterval: .seconds(30)),
            will: try will.will(property),
            maxPayloadSize: Self.largestPayload,
            logger: ConsoleLogHandler.logger(isDebugging: debug))
        config.sessionExpiry =
            try sessionExpiry?.duration ?? Environment.value("SESSION_EXPIRY", as: ExpiryArgument.self)?.duration
            ?? (disableCleanSession ? ExpiryArgument.forever.duration : nil)
        config.transport = transport
        config.proxy = proxy?.proxy
        for assignment in property where assignment.packet == .connect { try assignment.apply(to: &config) }
        return config
    }

    private var clientID: String {
        if let id { return id }
        if let idPrefix { return idPrefix + String(ProcessInfo.processInfo.processIdentifier) }
        return Environment.text("ID") ?? ""
    }

    /// Properties exist in 5.0 alone: who gives one wants that version.
    private func version() throws -> ProtocolVersion? {
        if let mqttVersion { return mqttVersion.version }
        if !property.isEmpty { return .v5 }
        return try Environment.value("MQTT_VERSION", as: VersionArgument.self)?.version
    }

    private func tlsConfig() throws -> TLSConfig {
        let cafile = cafile ?? Environment.text("CAFILE")
        let cert = cert ?? Environment.text("CERT")
        let key = key ?? Environment.text("KEY")
        let insecure = insecure || Environment.isOn("INSECURE")
        let isWanted =
            tls || tlsUseOsCerts || url?.isTLS == true || cafile != nil || cert != nil || key != nil || insecure
            || tlsVersion != nil || !tlsAlpn.isEmpty || ciphers != nil || Environment.isOn("TLS")
        return TLSConfig(
            enabled: isWanted, caCerts: cafile, certFile: cert, keyFile: key,
            verifyMode: insecure ? .none : .required, checkHostname: !insecure,
            applicationProtocols: tlsAlpn.isEmpty ? nil : tlsAlpn,
            minimumVersion: tlsVersion == "tlsv1.3" ? .v1_3 : .v1_2, cipherSuites: try ciphers.map(Self.cipherSuites))
    }

    /// Names as registered (`TLS_ECDHE_…`) or in OpenSSL's notation (`ECDHE-…`), between colons or commas.
    private static func cipherSuites(_ list: String) throws -> [TLSCipherSuite] {
        try list.split { $0 == ":" || $0 == "," }.map { name in
            let suite = TLSCipherSuite.allCases.first { suite in
                let openSSL = suite.rawValue
                    .replacing("TLS_RSA_WITH_", with: "").replacing("TLS_", with: "").replacing("_WITH_", with: "-")
                    .replacing("AES_128", with: "AES128").replacing("AES_256", with: "AES256")
                    .replacing("CHACHA20_POLY1305_SHA256", with: "CHACHA20-POLY1305").replacing("_", with: "-")
                return name == suite.rawValue || name == openSSL
            }
            guard let suite else { throw ValidationError("--ciphers: no cipher suite is called '\(name)'") }
            return suite
        }
    }

    private var transport: Transport {
        if let unix = unix ?? Environment.text("UNIX") { return .unixSocket(path: unix) }
        let path = wsPath ?? Environment.text("WS_PATH")
        if ws || wsPath != nil || url?.isWebSocket == true || Environment.isOn("WS") {
            return .webSocket(path: path ?? "/mqtt")
        }
        return .tcp
    }

    /// What a DISCONNECT tells of the session.
    var expiryAtDisconnect: Duration? { property.compactMap(\.sessionExpiry).last }
}
