import ArgumentParser
import Foundation
import Yams

/// A file with options: the names of the long flags, in YAML.
///
/// ```yaml
/// port: [1883, 1884]
/// max-queued: 5000
/// no-retain: true
/// ```
enum ConfigFile {
    static func arguments(_ path: String) throws -> [String] {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ValidationError("cannot read \(path)")
        }
        do {
            return try arguments(yaml: text, from: path)
        } catch let error as YamlError {
            throw ValidationError("\(path) is not YAML: \(String(describing: error).replacing("\n", with: " "))")
        }
    }

    private static func arguments(yaml: String, from path: String) throws -> [String] {
        guard let node = try Yams.compose(yaml: yaml) else { return [] }
        guard let mapping = node.mapping else { throw ValidationError("\(path) must hold names and values") }
        return try mapping.flatMap { key, value -> [String] in
            guard let name = key.string, name != "config" else {
                throw ValidationError("\(path) has a name that is no option")
            }
            return try flag("--" + name.replacing("_", with: "-"), value, path)
        }
    }

    private static func flag(_ flag: String, _ value: Node, _ path: String) throws -> [String] {
        if let sequence = value.sequence { return try sequence.flatMap { try self.flag(flag, $0, path) } }
        guard let scalar = value.scalar else {
            throw ValidationError("\(path): \(flag.dropFirst(2)) has no plain value")
        }
        if scalar.style == .plain, let isOn = Bool.construct(from: scalar) { return isOn ? [flag] : [] }
        return [flag, scalar.string]
    }
}
