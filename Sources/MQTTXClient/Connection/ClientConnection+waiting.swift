internal import MQTTCore
internal import MQTTNetwork
internal import NIOCore
internal import Synchronization

// What is done while somebody lets us wait: slow handlers, a broker that holds back answers, messages without a handler.
extension ClientConnection {
    // MARK: Back-pressure

    func pause() {
        guard let connection, !connection.isReadingPaused else { return }
        connection.pauseReading()
        core.paused.isPaused.store(true, ordering: .relaxed)
        // A broker that does not take what it is answered has no time without end.
        if !core.outbox.isBlocked { keepAlive?.setReading(false, now: .now) }
        watchPause()
    }

    private func watchPause() {
        pauseTimer = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(20)) { [weak self] in
            guard let self, self.connection?.isReadingPaused == true else { return }
            self.resumeIfPossible()
            if self.connection?.isReadingPaused == true { self.watchPause() }
        }
    }

    /// Goes on reading when handlers have caught up, or when an operation of ours has begun to wait for the broker.
    func resumeIfPossible() {
        guard let connection, connection.isReadingPaused else { return }
        guard inbound.hasRoomAgain || (core.awaitsAnswer && !inbound.mustPause { true }) else { return }
        keepAlive?.setReading(true, now: .now)
        guard !core.outbox.isBlocked else { return }
        pauseTimer?.cancel()
        pauseTimer = nil
        core.paused.isPaused.store(false, ordering: .relaxed)
        connection.resumeReading()
    }

    // MARK: Acknowledgements that are withheld

    /// A broker that has sent as many unacknowledged messages as it sends at all holds back the answer to our own
    /// operation: after a while of silence the oldest acknowledgements go out before their handlers have returned.
    func watchForStall() {
        guard stallTimer == nil, core.config.acknowledgement == .afterHandler, let connection else { return }
        let bytesRead = connection.bytesRead
        stallTimer = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(250)) { [weak self] in
            guard let self else { return }
            self.stallTimer = nil
            guard self.inbound.incoming.owedCount > 0 else { return }
            if connection.bytesRead == bytesRead, self.core.awaitsAnswer {
                while let ticket = self.inbound.incoming.oldestWithheld {
                    self.inbound.incoming.complete(ticket)
                    self.inbound.countEarlyAcknowledgement()
                    self.core.notify(.acknowledgedEarly(packetID: ticket.packetID))
                    self.sendReady()
                }
                self.core.outbox.flush()
                self.resumeIfPossible()
            }
            self.watchForStall()
        }
    }

    // MARK: Parked messages

    func watchParking() {
        guard parkingTimer == nil, let deadline = inbound.parkingDeadline else { return }
        parkingTimer = eventLoop.assumeIsolated().scheduleTask(
            in: TimeAmount(ContinuousClock.now.duration(to: deadline))
        ) {
            [weak self] in
            guard let self else { return }
            self.parkingTimer = nil
            self.inbound.giveUpParked(now: .now)
            self.sendReady()
            self.core.outbox.flush()
            self.watchParking()
        }
    }
}
