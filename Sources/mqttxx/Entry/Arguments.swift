import ArgumentParser

/// What the parser can't say by itself, put into words that it knows.
enum Arguments {
    /// Joins the words of a property into one argument, puts the contents of files with options in their place, and marks
    /// numbers below zero as no options.
    static func rewritten(_ arguments: [String]) throws -> [String] {
        guard let command = arguments.first else { return [] }
        var result: [String] = []
        var file: String?
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case _ where texts.contains(argument):
                let text = rest.popFirst()
                // By itself it would be the end of the options.
                result += text == "--" ? ["\(argument)=--"] : [argument] + [text].compactMap(\.self)
            case "-D", "--property":
                result += try ["--property", PropertyAssignment.joined(take(&rest))]
            case "--config" where command == "broker":
                guard let path = rest.popFirst() else { throw ValidationError("Missing value for '--config <config>'") }
                file = path
            case _ where command == "broker" && argument.hasPrefix("--config="):
                file = String(argument.dropFirst("--config=".count))
            case "--":
                result.append(argument)
                result += rest
                rest = []
            case _ where isNumberBelowZero(argument) && takesJSON(command) && result.last?.hasPrefix("-") == false:
                // JSON may begin with a space, an option may not.
                result.append(" " + argument)
            default:
                result.append(argument)
            }
        }
        if let file {
            // What stands on the command line takes the place of what stands in the file.
            let given = Set(result.dropFirst().map(longName))
            let options = try ConfigFile.options(file).filter { !given.contains($0.name) }
            result.insert(contentsOf: options.flatMap(\.words), at: 1)
        }
        result.insert(contentsOf: UserFile.words(for: command, before: arguments.dropFirst()), at: 1)
        return result
    }

    /// Options whose value may look like an option, since a script fills it in.
    private static let texts: Set = [
        "-m", "--message", "-t", "--topic", "-F", "--format", "-u", "--username", "-P", "--password", "--pw",
        "--will-payload", "--will-message", "--will-topic",
        "-i", "--id", "--client-id", "-I", "--id-prefix", "-T", "--filter-out", "-U", "--unsubscribe",
    ]

    /// `--port` for `--port`, `--port=1` and `-p`, as the options of `broker` are called.
    private static func longName(_ argument: String) -> String {
        switch argument {
        case "-h": "--host"
        case "-p": "--port"
        case "-d": "--debug"
        default: String(argument.prefix { $0 != "=" })
        }
    }

    /// `PACKET NAME VALUE`, or `PACKET user-property NAME VALUE`.
    private static func take(_ rest: inout ArraySlice<String>) -> ArraySlice<String> {
        let count = rest.dropFirst().first?.lowercased() == PropertyAssignment.userProperty ? 4 : 3
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private static func takesJSON(_ command: String) -> Bool { command == "call" || command == "emit" }

    private static func isNumberBelowZero(_ argument: String) -> Bool {
        argument.hasPrefix("-") && Double(argument) != nil
    }
}
