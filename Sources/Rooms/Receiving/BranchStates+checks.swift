// Whether an event is allowed where it stands. Server-Server API §Checks performed on receipt of a PDU, steps 4 and 5.

import MatrixCore
import Persistence

extension BranchStates {
    /// Why an event is rejected; nil where it is not.
    ///
    /// - Parameters:
    ///   - authEvents: the events that it names as its auth events, all of them.
    ///   - before: the room's state before it.
    ///   - isRejected: whether one of its auth events is rejected itself.
    func rejection(
        of event: Event, citing authEvents: [EventRow], before: SnapshotLayering, isRejected: (EventID) -> Bool
    ) async throws -> AuthRejection? {
        let version = head.snapshot.version
        let cited = try authEvents.map { try Event(trusted: $0.json, id: $0.id, version: version) }
        do {
            // 4. Passes authorization rules based on the event's auth events, otherwise it is rejected.
            try checkAuthEvents(of: event, are: cited) { isRejected($0.id) }
            try authorize(event, against: state(cited), version: version)
            // 5. … based on the state before the event, otherwise it is rejected.
            let relevant = try await holders(authEventKeys(for: event), in: before).map(\.event)
            try authorize(event, against: state(relevant), version: version)
            return nil
        } catch let rejection as AuthRejection {
            return rejection
        }
    }

    /// From room version 12 on the create event is part of every state without being named.
    private func state(_ events: [Event]) -> AuthEventState {
        let create = head.snapshot.version.createEventDecidesRoomID ? [head.snapshot.createEvent] : []
        return AuthEventState(events: events + create, version: head.snapshot.version)
    }
}
