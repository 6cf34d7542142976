import MQTTX

/// JSON to be written, in which several members of an object may have one name.
indirect enum JSONNode {
    case value(JSONValue)
    case members([(name: String, node: JSONNode)])

    /// On one line.
    var compact: String {
        switch self {
        case .value(let value): value.description
        case .members(let members):
            "{" + members.map { Self.text($0.name) + ":" + $0.node.compact }.joined(separator: ",") + "}"
        }
    }

    /// Members on lines of their own, indented by tabs.
    func pretty(depth: Int = 1) -> String {
        let indent = String(repeating: "\t", count: depth)
        switch self {
        case .value(.object(let object)):
            return Self.members(object.map { ($0.key, .value($0.value)) }).pretty(depth: depth)
        case .value(.array(let array)):
            return "[" + array.map { Self.value($0).pretty(depth: depth + 1) }.joined(separator: ", ") + "]"
        case .value(let value):
            return value.description
        case .members(let members):
            let lines = members.map { indent + Self.text($0.name) + ":\t" + $0.node.pretty(depth: depth + 1) }
            return "{\n" + lines.joined(separator: ",\n") + (lines.isEmpty ? "" : "\n") + indent.dropFirst() + "}"
        }
    }

    private static func text(_ string: String) -> String { JSONValue.string(string).description }
}
