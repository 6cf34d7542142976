import ArgumentParser
import Foundation
import MQTTX

/// How a message is printed: text with `%` fields, `@` fields for the time, and escapes, as mosquitto_sub has them.
struct MessageFormat: ExpressibleByArgument, Sendable {
    enum Piece: Sendable {
        case text(String)
        case field(Character, Padding)
        case time(Character)
    }

    struct Padding: Sendable {
        var width = 0
        var isLeft = false
        var isZero = false
    }

    static let payload = MessageFormat(pieces: [.field("p", Padding())])
    static let verbose = MessageFormat(pieces: [.field("t", Padding()), .text(" "), .field("p", Padding())])
    static let json = MessageFormat(pieces: [.field("j", Padding())])

    private static let fields = "tpqrlmxXjJIUCDEFPRSAd"
    private static let widest = 10_000

    private var pieces: [Piece]
    var isPretty = false

    private init(pieces: [Piece]) { self.pieces = pieces }

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

    mutating func append(_ text: String) {
        if case .text(let before) = pieces.last {
            pieces[pieces.count - 1] = .text(before + text)
        } else {
            pieces.append(.text(text))
        }
    }

    private static func field(_ rest: inout Substring) -> Piece? {
        var padding = Padding()
        while let flag = rest.first, flag == "-" || flag == "0" {
            if flag == "-" { padding.isLeft = true } else { padding.isZero = true }
            rest.removeFirst()
        }
        while let digit = rest.first?.wholeNumberValue {
            padding.width = min(widest, padding.width * 10 + digit)
            rest.removeFirst()
        }
        guard let letter = rest.popFirst() else { return nil }
        if letter == "%" { return .text("%") }
        return fields.contains(letter) ? .field(letter, padding) : nil
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

    /// The message, printed.
    func bytes(_ message: MQTTMessage) -> ByteBuffer {
        let time = WallTime.now()
        var result = ByteBuffer()
        for piece in pieces {
            switch piece {
            case .text(let text): result.writeString(text)
            case .time(let conversion): result.writeString(time.formatted("%\(conversion)"))
            case .field("p", let padding) where padding.width == 0: result.writeImmutableBuffer(message.payload)
            case .field(let letter, let padding):
                result.writeString(padding.apply(MessageFields(message, time, isPretty: isPretty).text(letter)))
            }
        }
        return result
    }
}

extension MessageFormat.Padding {
    fileprivate func apply(_ text: String) -> String {
        let missing = width - text.count
        guard missing > 0 else { return text }
        let fill = String(repeating: isZero && !isLeft ? "0" : " ", count: missing)
        return isLeft ? text + fill : fill + text
    }
}
