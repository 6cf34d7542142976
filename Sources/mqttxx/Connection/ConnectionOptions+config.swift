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
            brokerHost: try host ?? address?.host ?? Environment.value("HOST") ?? "127.0.0.1",
            brokerPort: try givenPort() ?? (tls.enabled ? Self.tlsPort : 1_883),
            clientID: clientID,
            keepAlive: .seconds(Int64(try keepalive ?? Environment.value("KEEPALIVE") ?? 60)),
            cleanSession: !keepsSession,
            version: try version(),
            tls: tls,
            auth: AuthConfig(
                username: username ?? address?.username ?? Environment.text("USERNAME"),
                password: password ?? address?.password ?? Environment.text("PASSWORD")),
            reconnect: ReconnectConfig(enabled: reconnects, interval: .seconds(1), maxInterval: .seconds(30)),
            will: try will.will(property),
            maxPayloadSize: Self.largestPayload,
            logger: ConsoleLogHandler.logger(isDebugging: debug || Environment.isOn("DEBUG")))
        config.sessionExpiry =
            try sessionExpiry?.duration ?? Environment.value("SESSION_EXPIRY", as: ExpiryArgument.self)?.duration
            ?? (keepsSession ? ExpiryArgument.forever.duration : nil)
        config.transport = transport
        config.proxy = try (proxy ?? Environment.value("PROXY"))?.proxy
        if let receiveMaximum { config.receiveMaximum = receiveMaximum }
        if let topicAliasMaximum { config.topicAliasMaximum = topicAliasMaximum }
        for assignment in property where assignment.packet == .connect { try assignment.apply(to: &config) }
        return config
    }

    private static let tlsPort = 8_883

    private func givenPort() throws -> Int? {
        try port?.port ?? address?.port ?? Environment.value("PORT", as: PortArgument.self)?.port
    }

    private var clientID: String {
        if let id { return id }
        if let idPrefix { return idPrefix + String(ProcessInfo.processInfo.processIdentifier) }
        return Environment.text("ID") ?? ""
    }

    /// Properties exist in 5.0 alone: who gives one wants that version, whatever `-V` says.
    private func version() throws -> ProtocolVersion? {
        if !property.isEmpty { return .v5 }
        if let mqttVersion { return mqttVersion.version }
        return try Environment.value("MQTT_VERSION", as: VersionArgument.self)?.version
    }

    private func tlsConfig() throws -> TLSConfig {
        let cafile = cafile ?? Environment.text("CAFILE")
        let cert = cert ?? Environment.text("CERT")
        let key = key ?? Environment.text("KEY")
        let p12 = p12 ?? Environment.text("P12")
        let insecure = insecure || Environment.isOn("INSECURE")
        let isOn =
            tls || tlsUseOsCerts || `protocol`?.isTLS == true || address?.isTLS == true || Environment.isOn("TLS")
        let isImplied =
            cafile != nil || capath != nil || cert != nil || key != nil || p12 != nil || insecure
            || tlsVersion != nil || !tlsAlpn.isEmpty || ciphers != nil
        // The port that is registered for MQTT over TLS means it, unless something else carries the packets.
        let isUnderstood = try transport == .tcp && address == nil && givenPort() == Self.tlsPort
        var config = TLSConfig(
            enabled: isOn || isImplied || isUnderstood, caCerts: cafile, certFile: cert, keyFile: key,
            verifyMode: insecure ? .none : .required, checkHostname: !insecure,
            pkcs12File: p12, passphrase: p12Password ?? Environment.text("P12_PASSWORD"),
            applicationProtocols: tlsAlpn.isEmpty ? nil : tlsAlpn,
            minimumVersion: tlsVersion == "tlsv1.3" ? .v1_3 : .v1_2, cipherSuites: try ciphers.map(Self.cipherSuites))
        if let capath { config.caCertificates = try Self.certificates(in: capath, and: cafile) }
        return config
    }

    /// All the certificates in the files of a directory, and those in a file beside.
    private static func certificates(in directory: String, and file: String?) throws -> [UInt8] {
        let folder = URL(fileURLWithPath: directory, isDirectory: true)
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
            throw ValidationError("--capath: cannot read \(directory)")
        }
        let files =
            names.sorted().map { folder.appendingPathComponent($0) }
            + (file.map { [URL(fileURLWithPath: $0)] } ?? [])
        // A directory holds the same certificate under several names.
        let texts = Set(files.compactMap { try? String(contentsOf: $0, encoding: .utf8) })
        let certificates = texts.filter { $0.contains("-----BEGIN CERTIFICATE-----") }
        guard !certificates.isEmpty else { throw ValidationError("--capath: no certificate is in \(directory)") }
        return Array(certificates.sorted().joined(separator: "\n").utf8)
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
        let isWebSocket =
            ws || wsPath != nil || !wsHeader.isEmpty || `protocol`?.isWebSocket == true
            || address?.isWebSocket == true || Environment.isOn("WS")
        if isWebSocket {
            let headers = wsHeader.map { ($0.name, $0.value) }
            return .webSocket(path: path ?? "/mqtt", headers: Dictionary(headers) { $1 })
        }
        return .tcp
    }

    /// What a DISCONNECT tells of the session.
    var expiryAtDisconnect: Duration? { property.compactMap(\.sessionExpiry).last }
    var reasonAtDisconnect: String? { property.compactMap(\.reasonString).last }
}
