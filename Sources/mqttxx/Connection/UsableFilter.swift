import ArgumentParser
import MQTTX

/// Options that name topics: what can never work is a mistake of the command line.
enum UsableFilter {
    static func check(_ filter: String, of option: String) throws {
        do { _ = try TopicFilter(filter) } catch { throw ValidationError("\(option): \(error.message)") }
    }

    static func checkName(_ topic: String, of option: String) throws {
        do { try TopicName.validate(topic) } catch { throw ValidationError("\(option): \(error.message)") }
    }
}
