import ArgumentParser
import MQTTX

/// How `sub` prints a message.
struct PrintOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Print the topic before the payload.")
    var verbose = false

    @Flag(name: [.customShort("N"), .long], help: "No line end after a message.")
    var noNewline = false

    @Option(
        name: [.customShort("F"), .long], parsing: .unconditional,
        help: """
            A format: %t topic, %p payload, %q QoS, %r retained, %l length, %m packet id, %x %X payload in hexadecimal, \
            %j %J JSON, %I %U time, %C content type, %D correlation data, %E expiry, %F payload format, %P user \
            properties, %R response topic, %S subscription identifier, @X as date does, %% and @@ themselves.
            """)
    var format: MessageFormat?

    @Option(name: .shortAndLong, help: "text, or json for one object a line.")
    var output: Output = .text

    @Flag(help: "JSON on several lines.")
    var pretty = false

    @Flag(help: .hidden)
    var quiet = false

    enum Output: String, ExpressibleByArgument, CaseIterable, Sendable {
        case text, json
    }

    func check() throws {
        if format != nil, output == .json { throw ValidationError("-F and -o json exclude each other") }
    }

    /// The format that the options ask for.
    var messageFormat: MessageFormat {
        var format = self.format ?? (output == .json ? .json : verbose ? .verbose : .payload)
        if !noNewline { format.append("\n") }
        format.isPretty = pretty
        return format
    }
}
