// Events that say nothing to anybody, and tie the ends of a room's graph together.

import MatrixCore

extension Event {
    /// Servers know each other's by this type, which Synapse has given it.
    static let dummyType: ByteString = "org.matrix.dummy_event"

    /// It is there for the graph alone: clients do not see it.
    var isDummy: Bool { type == Event.dummyType && stateKey == nil }
}

extension RoomHead {
    /// The user of `server` who has been longest in the room of those that may send a dummy event.
    func dummySender(of server: ServerName) -> UserID? {
        let required = snapshot.powerLevels.required(toSend: Event.dummyType, isState: false)
        return snapshot.members(of: server)
            .first { $0.entry.membership == .join && snapshot.powerLevels.level(of: $0.user) >= required }?.user
    }
}

extension Room {
    /// When servers send at the same time, the room has several newest events, and every question about its state compares as many
    /// states. Where they have become too many, this server ties them together by an event that follows them all. It is not sent to
    /// anybody: who gets a later event, which names it, asks for it.
    func tieExtremities() async {
        let head = currentHead
        guard head.forwardExtremities.count > environment.dummyEventsThreshold, mayTieExtremities(at: .now),
            let sender = head.dummySender(of: environment.serverName)
        else { return }
        do {
            let event = try await recommended(propose(EventDraft(type: Event.dummyType, content: [:], sender: sender)))
            _ = try await placeOnBranch(RemoteEvent(event))
            environment.logger.info(
                "the newest events of a room were tied together", metadata: ["room": "\(id)", "events": "\(event.prevEvents.count)"])
        } catch {
            environment.logger.warning(
                "the newest events of a room cannot be tied together", metadata: ["room": "\(id)", "error": "\(error)"])
        }
    }
}
