import MQTTCore
import MQTTXClient
import NIOCore

/// From a message to the bytes of the next write, and at QoS 1 from its acknowledgement to whoever waits.
func publishing() throws -> [Benchmark] { [publishingQoS0(), publishingQoS1()] }

/// As many as leave in one write.
private let batch = 64

private func publishingQoS0() -> Benchmark {
    let outbox = Holder()
    let message = publish(.atMostOnce)
    return Benchmark("publish/qos0", batch: batch) {
        for _ in 0..<batch {
            keep(try outbox.state.tryWrite(message.topic, message.payload, retain: false, message.properties))
        }
        outbox.write()
    }
}

private func publishingQoS1() -> Benchmark {
    let outbox = Holder()
    var message = publish(.atLeastOnce)
    message.packetID = 0
    // Behind the fixed header, whose remaining length has two bytes, and the topic.
    let place = 3 + 2 + message.topic.utf8.count
    return Benchmark("publish/qos1", batch: batch) {
        for _ in 0..<batch {
            var completions = OutboxState.Completions()
            keep(outbox.state.submit(PublishReceipt(message), completions: &completions))
        }
        let bytes = outbox.write()
        let size = bytes.readableBytes / batch
        var completions = OutboxState.Completions()
        for number in 0..<batch {
            let id = bytes.getInteger(at: number * size + place, as: UInt16.self) ?? 0
            outbox.state.acknowledged(.puback(Acknowledgement(packetID: id)), &completions)
        }
        guard completions.receipts.count == batch else { throw NotAcknowledged() }
        for completion in completions.receipts { completion.receipt.complete(completion.outcome) }
    }
}

/// The outbox of a client that is connected, without its lock.
private final class Holder {
    var state = OutboxState(limits: QueueLimits(MQTTConfig(brokerHost: "localhost")))

    init() {
        var completions = OutboxState.Completions()
        let server = ServerCapabilities(connack: ConnAck(), connect: Connect(version: .v5, clientID: "benchmark"))
        state.connected(server, maximumAliases: 0, &completions)
    }

    @discardableResult
    func write() -> ByteBuffer {
        let write = state.output.take()
        state.output.written(write)
        return write.bytes
    }
}

private struct NotAcknowledged: Error {}
