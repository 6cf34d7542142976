public import ArgumentParser
public import MQTTX

/// How calls travel.
struct RPCOptions: ParsableArguments {
    @Option(help: "How requests are laid out: dual, envelope or native. (default: what the connection allows)")
    var form: MessageForm?

    @Option(help: "How messages become bytes: json or messagepack.")
    var codec: CodecArgument = .json

    @Flag(help: "The same as --codec messagepack.")
    var msgpack = false

    var messageCodec: any Codec { msgpack ? MessagePackCodec() : codec.codec }
}

enum CodecArgument: String, ExpressibleByArgument, CaseIterable, Sendable {
    case json, messagepack, msgpack

    static var allValueStrings: [String] { ["json", "messagepack"] }

    var codec: any Codec {
        switch self {
        case .json: JSONCodec()
        case .messagepack, .msgpack: MessagePackCodec()
        }
    }
}

extension MessageForm: ExpressibleByArgument {
    /// A form by its name, in any case of letters.
    public init?(argument: String) {
        guard let form = Self.allCases.first(where: { "\($0)" == argument.lowercased() }) else { return nil }
        self = form
    }
}
