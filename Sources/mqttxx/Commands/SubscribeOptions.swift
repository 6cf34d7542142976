public import ArgumentParser
import MQTTX

/// What `sub` subscribes to, and which of it it prints.
struct SubscribeOptions: ParsableArguments {
    @Option(name: .shortAndLong, parsing: .unconditionalSingleValue, help: "A topic filter. (repeatable)")
    var topic: [String] = []

    @Option(
        name: [.customShort("T"), .long], parsing: .unconditionalSingleValue,
        help: "Leave out what matches this filter. (repeatable)")
    var filterOut: [String] = []

    @Option(
        name: [.customShort("U"), .long], parsing: .unconditionalSingleValue,
        help: "End this subscription of the session. (repeatable)")
    var unsubscribe: [String] = []

    @Option(name: .shortAndLong, help: "The highest QoS at which messages come.")
    var qos: QoS = .atMostOnce

    @Flag(name: [.long, .customLong("no_local")], help: "Don't send what this client publishes itself.")
    var noLocal = false

    @Flag(help: "Keep the retain flag as it was published.")
    var retainAsPublished = false

    @Option(help: "Which retained messages come: 0 all, 1 for new subscriptions, 2 none.")
    var retainHandling: RetainHandling = .sendAtSubscribe

    @Flag(name: [.customShort("R"), .long], help: "Leave out retained messages.")
    var noRetained = false

    @Flag(help: "Retained messages alone; ends at the first that is not.")
    var retainedOnly = false

    @Flag(help: "Delete the retained messages that come.")
    var removeRetained = false

    @Flag(name: [.customShort("E"), .long], help: "End when the broker has granted the subscriptions.")
    var exitWhenSubscribed = false

    @OptionGroup var end: EndOptions

    mutating func validate() throws {
        if retainedOnly, noRetained { throw ValidationError("--retained-only and -R exclude each other") }
    }

    func checkFilters() throws {
        for filter in topic + filterOut + unsubscribe { _ = try TopicFilter(filter) }
    }
}

extension RetainHandling: ExpressibleByArgument {}

/// When a command that listens ends by itself.
struct EndOptions: ParsableArguments {
    @Option(name: [.customShort("C"), .long], help: "End after so many messages, with status 0.")
    var count: CountArgument?

    @Option(name: [.customShort("W"), .customLong("timeout")], help: "End after so many seconds, with status 27.")
    var seconds: SecondsArgument?

    mutating func validate() throws {
        if seconds?.seconds == 0 { throw ValidationError("-W is more than 0") }
    }
}
