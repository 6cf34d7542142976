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
    /// One option as it would stand on the command line.
    struct Option {
        let name: String
        let values: [String]

        var words: [String] { [name] + values }
    }

    /// The options in a file; one that stands for several values comes once for each.
    ///
    /// - Throws: `ValidationError` in one line for what is no such file. Whether an option exists is for the parser to say.
    static func options(_ path: String) throws -> [Option] {
        // A pipe may be one as well.
        guard let file = FileHandle(forReadingAtPath: path), let data = try? file.readToEnd() ?? Data(),
            let text = String(validating: data, as: UTF8.self)
        else { throw ValidationError("cannot read \(path)") }
        do {
            guard let node = try Yams.compose(yaml: text) else { return [] }
            guard let mapping = node.mapping else { throw ValidationError("\(path) must hold names and values") }
            return try mapping.flatMap { key, value in try options(key, value, path) }
        } catch let error as YamlError {
            throw ValidationError("\(path) is not YAML: \(error)")
        }
    }

    private static func options(_ key: Node, _ value: Node, _ path: String) throws -> [Option] {
        guard let name = key.string, name != "config", !name.hasPrefix("-"), !name.contains("=") else {
            throw ValidationError("\(path) has a name that is no option: '\(key.string ?? "")'")
        }
        let flag = "--" + name.replacing("_", with: "-")
        return try (value.sequence.map(Array.init) ?? [value]).compactMap { node in
            guard let scalar = node.scalar, scalar.string != "" || scalar.style != .plain else {
                throw ValidationError("\(path): \(name) has no plain value")
            }
            guard scalar.style == .plain, let isOn = Bool.construct(from: scalar) else {
                return Option(name: flag, values: [scalar.string])
            }
            return isOn ? Option(name: flag, values: []) : nil
        }
    }
}
