import ArgumentParser
import MQTTX

/// How a message is printed: text with `%` fields, `@` fields for the time, and escapes, as mosquitto_sub has them.
struct MessageFormat: ExpressibleByArgument, Sendable {
    private enum Piece: Sendable {
        case text(String)
        case field(Character, FieldLayout)
        case time(Character)
    }

    static let json = MessageFormat(pieces: [.field("j", FieldLayout())])

    private var pieces: [Piece]

    private init(pieces: [Piece]) { self.pieces = pieces }

    /// Nil for what is no format.
    init?(argument: String) {
        pieces = []
        var rest = argument[...]
        while let character = rest.popFirst() {
            switch character {
            case "%":
                guard let piece = Self.field(&rest) else { return nil }
                pieces.append(piece)
            case "@":
                guard let conversion = rest.popFirst() else { return nil }
                pieces.append(conversion == "@" ? .text("@") : .time(conversion))
            case "\\":
                guard let text = Self.escape(rest.popFirst()) else { return nil }
                append(text)
            default:
                append(String(character))
            }
        }
    }

    private mutating func append(_ text: String) {
        if case .text(let before) = pieces.last {
            pieces[pieces.count - 1] = .text(before + text)
        } else {
            pieces.append(.text(text))
        }
    }

    private static func field(_ rest: inout Substring) -> Piece? {
        let layout = FieldLayout(&rest)
        guard let letter = rest.popFirst() else { return nil }
        if letter == "%" { return .text("%") }
        return MessageFields.letters.contains(letter) ? .field(letter, layout) : nil
    }

    private static func escape(_ character: Character?) -> String? {
        switch character {
        case "n": "\n"
        case "t": "\t"
        case "r": "\r"
        case "0": "\0"
        case "a": "\u{07}"
        case "e": "\u{1B}"
        case "v": "\u{0B}"
        case "\\": "\\"
        default: nil
        }
    }

    /// Adds the message, printed.
    func write(_ message: MQTTMessage, _ json: MessageJSON, to result: inout ByteBuffer) {
        let time = WallTime.now()
        let fields = MessageFields(message, time, json)
        for piece in pieces {
            switch piece {
            case .text(let text): result.writeString(text)
            case .time(let conversion): result.writeString(time.formatted("%\(conversion)"))
            case .field(let letter, let layout): fields.write(letter, layout, to: &result)
            }
        }
    }
}
