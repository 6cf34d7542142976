import MQTTCore
import Testing

@Suite("Keep alive (section 3.1.2.10)", .timeLimit(.minutes(2)))
struct KeepAliveTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private func keepAlive(_ interval: Duration = .seconds(10), timeout: Duration = .seconds(3)) -> KeepAlive {
        KeepAlive(interval: interval, timeout: timeout, now: start)
    }

    @Test("A ping goes out once in each interval, as long as pings are answered [MQTT-3.1.2-20, MQTT311-3.1.2-23]")
    func pings() {
        var keepAlive = keepAlive()
        for round in [0.0, 1, 2] {
            #expect(keepAlive.check(now: at(10 * round)) == .wait(until: at(10 * round + 10)))
            #expect(keepAlive.check(now: at(10 * round + 9.9)) == .wait(until: at(10 * round + 10)))
            #expect(keepAlive.check(now: at(10 * round + 10)) == .ping)
            #expect(keepAlive.check(now: at(10 * round + 10)) == .wait(until: at(10 * round + 13)))
            keepAlive.didRead()
        }
    }

    @Test("A ping that is not answered in time ends the connection")
    func timeout() {
        var keepAlive = keepAlive()
        #expect(keepAlive.check(now: at(10)) == .ping)
        #expect(keepAlive.check(now: at(12.9)) == .wait(until: at(13)))
        #expect(keepAlive.check(now: at(13)) == .timedOut)
    }

    @Test("Any byte is a sign of life")
    func life() {
        var keepAlive = keepAlive()
        #expect(keepAlive.check(now: at(10)) == .ping)
        keepAlive.didRead()
        #expect(keepAlive.check(now: at(13)) == .wait(until: at(20)))
    }

    @Test("Zero switches it off")
    func off() {
        var keepAlive = keepAlive(.zero)
        #expect(keepAlive.check(now: at(100_000)) == nil)
    }

    @Test("While we don't read, pings go on and no answer is missed; its deadline starts anew afterwards")
    func notReading() {
        var keepAlive = keepAlive()
        #expect(keepAlive.check(now: at(10)) == .ping)
        keepAlive.setReading(false, now: at(11))
        #expect(keepAlive.check(now: at(15)) == .wait(until: at(20)))
        #expect(keepAlive.check(now: at(20)) == .ping)
        #expect(keepAlive.check(now: at(30)) == .ping)
        keepAlive.setReading(true, now: at(35))
        #expect(keepAlive.check(now: at(35)) == .wait(until: at(38)))
        #expect(keepAlive.check(now: at(38)) == .timedOut)
    }

    @Test("With a timeout longer than the interval pings go on while an answer is awaited")
    func longTimeout() {
        var keepAlive = keepAlive(.seconds(2), timeout: .seconds(5))
        #expect(keepAlive.check(now: at(2)) == .ping)
        #expect(keepAlive.check(now: at(2)) == .wait(until: at(4)))
        #expect(keepAlive.check(now: at(4)) == .ping)
        #expect(keepAlive.check(now: at(6)) == .ping)
        #expect(keepAlive.check(now: at(7)) == .timedOut)
    }

    @Test(
        """
        The server's watch allows one and a half times the keep alive since the last packet, and for ever \
        with 0 [MQTT-3.1.2-22, MQTT311-3.1.2-24]
        """
    )
    func watch() {
        var watch = KeepAliveWatch(seconds: 10, now: start)
        #expect(watch.deadline == at(15))
        #expect(!watch.isExpired(now: at(14.9)))
        watch.didRead(now: at(14))
        #expect(!watch.isExpired(now: at(28.9)))
        #expect(watch.isExpired(now: at(29)))
        let off = KeepAliveWatch(seconds: 0, now: start)
        #expect(off.deadline == nil && !off.isExpired(now: at(1_000_000)))
    }
}
