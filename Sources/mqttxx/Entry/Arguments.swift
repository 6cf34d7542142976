import ArgumentParser

/// What the parser can't say by itself, put into words that it knows.
enum Arguments {
    /// Joins the words of a property into one argument, and puts a configuration file's contents in its place.
    static func rewritten(_ arguments: [String]) throws -> [String] {
        var result: [String] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "-D", "--property":
                result += ["--property", PropertyAssignment.joined(take(&rest))]
            case "--config" where arguments.first == "broker":
                guard let path = rest.popFirst() else { throw ValidationError("Missing value for '--config <config>'") }
                // In front, so that what stands on the command line wins.
                result.insert(contentsOf: try ConfigFile.arguments(path), at: 1)
            case "--":
                result.append(argument)
                result += rest
                return result
            default:
                result.append(argument)
            }
        }
        return result
    }

    /// `PACKET NAME VALUE`, or `PACKET user-property NAME VALUE`.
    private static func take(_ rest: inout ArraySlice<String>) -> ArraySlice<String> {
        let count = rest.dropFirst().first == PropertyAssignment.userProperty ? 4 : 3
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}
