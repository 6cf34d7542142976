import MQTTX

/// What arrives at a handler, to be awaited one after another.
struct Inbox<Element: Sendable>: Sendable {
    private let stream: AsyncStream<Element>
    private let continuation: AsyncStream<Element>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: Element.self) }

    func put(_ element: Element) { continuation.yield(element) }

    /// The next one; waits for it. Nil only when the test is cancelled, at its time limit.
    func next() async -> Element? { await stream.first { _ in true } }

    func next(_ count: Int) async -> [Element] {
        var elements: [Element] = []
        while elements.count < count, let element = await next() { elements.append(element) }
        return elements
    }
}

extension MQTTClient {
    /// Subscribes and collects what comes.
    func inbox(_ filter: String, qos: QoS = .atLeastOnce) async throws -> Inbox<MQTTMessage> {
        let inbox = Inbox<MQTTMessage>()
        try await subscribe(filter, qos: qos) { (message: MQTTMessage) in inbox.put(message) }
        return inbox
    }

    /// Waits until a state is reached.
    func reaches(_ wanted: @Sendable (ConnectionState) -> Bool) async { _ = await states.first(where: wanted) }
}
