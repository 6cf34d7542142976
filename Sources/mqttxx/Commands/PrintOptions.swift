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
            %j %J JSON, %I %U time, %A topic alias, %C content type, %D correlation data, %E expiry, %F payload format, \
            %P user properties, %R response topic, %S subscription identifier, @X as date does, %% and @@ themselves; \
            -, 0, a width and a precision after the % as in C.
            """)
    var format: MessageFormat?

    @Option(name: .shortAndLong, help: "text, or json for one object a line.")
    var output: Output = .text

    @Flag(help: "JSON on several lines.")
    var pretty = false

    @Option(help: "Print only so many percent of the messages, chosen at random: 0.1 to 100.")
    var randomFilter: Double = 100

    enum Output: String, ExpressibleByArgument, CaseIterable, Sendable {
        case text, json
    }

    func check() throws {
        if format != nil, output == .json { throw ValidationError("-F and -o json exclude each other") }
        guard (0.1...100).contains(randomFilter) else { throw ValidationError("--random-filter is 0.1 to 100") }
    }

    /// - Parameter identifier: the subscription identifier that the user has asked for.
    func style(identifier: Int?) -> MessageStyle {
        var json = MessageJSON(isPretty: pretty, identifier: identifier)
        let layout: MessageStyle.Layout
        if let format {
            layout = .format(format)
        } else if output == .json {
            json.isMosquittos = false
            layout = .format(.json)
        } else {
            layout = verbose ? .topicAndPayload : .payload
        }
        return MessageStyle(layout: layout, endsLine: !noNewline, json: json)
    }
}
