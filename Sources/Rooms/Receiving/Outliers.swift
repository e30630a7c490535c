// Events that others build on, without a place in the room: auth events, and the states that other servers tell of.
// Server-Server API §Checks performed on receipt of a PDU, step 4.

import MatrixCore
import Persistence

extension Room {
    /// Stores verified events that others build on. What is here already stays as it is; what lacks its own auth events is left out; what
    /// these do not allow, or what names events of other rooms as such, is kept as rejected.
    package func storeOutliers(_ events: [Event]) async throws {
        guard !events.isEmpty else { return }
        try await alone { try await OutlierIntake(room: self).store(events) }
    }
}

private struct OutlierIntake {
    let room: Room
    private var environment: RoomEnvironment { room.environment }

    func store(_ events: [Event]) async throws {
        let sorted = AuthOrder.sorted(events)
        let cited = Set(sorted.flatMap(\.authEvents))
        let (version, roomNID) = (room.version, room.nid)
        let (standings, rows) = try await environment.database.read { connection in
            (
                try EventStore.standings(cited.union(sorted.map(\.id)), on: connection),
                try EventStore.rows(Array(cited), on: connection)
            )
        }
        var known: [EventID: Event] = [:]
        var rejected: Set<EventID> = []
        var numbers: [EventID: EventNID] = [:]
        for row in rows where row.roomNID == roomNID {
            known[row.id] = try Event(trusted: row.json, id: row.id, version: version)
            numbers[row.id] = row.nid
            if row.flags.contains(.rejected) { rejected.insert(row.id) }
        }
        let foreign = Set(rows.filter { $0.roomNID != roomNID }.map(\.id))
        var new: [(event: Event, flags: EventFlags)] = []
        for event in sorted where standings[event.id] == nil {
            let authEvents = event.authEvents.compactMap { known[$0] }
            let namesForeign = event.authEvents.contains(where: foreign.contains)
            guard namesForeign || authEvents.count == event.authEvents.count else { continue }
            let isAllowed =
                !namesForeign && OutlierIntake.isAllowed(event, by: authEvents, create: room.current.createEvent, rejected)
            if !isAllowed { rejected.insert(event.id) }
            numbers[event.id] = EventNID(environment.sequences.next(.events))
            known[event.id] = event
            new.append((event, isAllowed ? [] : .rejected))
        }
        guard !new.isEmpty else { return }
        let (rowsToWrite, allNumbers) = (new, numbers)
        try await environment.journal.append(
            JournalBatch(
                records: [],
                alongside: { connection in
                    for (event, flags) in rowsToWrite {
                        try EventStore.insertOutlier(event, room: roomNID, numbers: allNumbers, flags: flags, on: connection)
                    }
                }))
    }

    private static func isAllowed(_ event: Event, by authEvents: [Event], create: Event, _ rejected: Set<EventID>) -> Bool {
        do {
            try checkAuthEvents(of: event, are: authEvents) { rejected.contains($0.id) }
            let extra = event.version.createEventDecidesRoomID ? [create] : []
            try authorize(event, against: AuthEventState(events: authEvents + extra, version: event.version), version: event.version)
            return true
        } catch {
            return false
        }
    }
}
