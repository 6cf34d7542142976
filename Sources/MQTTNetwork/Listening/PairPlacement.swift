import NIOCore
import Synchronization

/// Places accepted connections on the group's event loops two by two: connections opened one after the other often talk to
/// each other, and a message between two of one loop wakes no other thread. With many of them the loops are loaded alike.
///
/// A group hands out its loops in turn, so the place of the next connection is chosen by passing over others.
final class PairPlacement: ChannelInboundHandler, Sendable {
    typealias InboundIn = any Channel

    private let group: any EventLoopGroup
    private let indices: [ObjectIdentifier: Int]
    /// Open connections by loop.
    private let counts: Mutex<[Int]>

    init(group: any EventLoopGroup) {
        self.group = group
        let loops = group.makeIterator().map { ObjectIdentifier($0) }
        indices = Dictionary(uniqueKeysWithValues: zip(loops, 0...))
        counts = Mutex(Array(repeating: 0, count: loops.count))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = unwrapInboundIn(data)
        if let index = indices[ObjectIdentifier(channel.eventLoop)] {
            channel.closeFuture.whenComplete { _ in self.counts.withLock { $0[index] -= 1 } }
            let next = counts.withLock { counts in
                counts[index] += 1
                return Self.next(after: index, counts)
            }
            for _ in 0..<(next - index - 1 + indices.count) % indices.count { _ = group.next() }
        }
        context.fireChannelRead(data)
    }

    /// One that is alone gets company; else the loop with the fewest comes next.
    private static func next(after index: Int, _ counts: [Int]) -> Int {
        if !counts[index].isMultiple(of: 2) { return index }
        let others = (1...counts.count).map { (index + $0) % counts.count }
        return others.min { counts[$0] < counts[$1] } ?? index
    }
}
