// Rooms that this server is not in, of which its users know all the same: by an invite, or by a knock of their own.

import MatrixCore
import Persistence

extension RoomRegistry {
    /// Notes an invite, a knock, or the end of either, of a user of this server in a room that this server is not in.
    ///
    /// - Parameters:
    ///   - event: a member event of a local user, checked as far as it can be without the room.
    ///   - strippedState: what else is known of the room: a JSON array.
    package func noteOutside(_ event: Event, strippedState: [UInt8]?) async throws {
        do {
            try await note(event, strippedState)
        } catch let error as DatabaseError where error.isUniqueViolation {
            // Another user was invited to the room at the same time, or the event was here before.
            try await note(event, strippedState)
        }
    }

    private func note(_ event: Event, _ strippedState: [UInt8]?) async throws {
        guard let membership = event.membership, let user = event.stateKey.map({ UserID(trusted: $0.string) }) else {
            throw MatrixError.badJSON("Not a member event")
        }
        let environment = environment
        let id = event.roomID
        let (room, before, known) = try await environment.database.read { connection in
            let room = try RoomStore.room(id, on: connection)
            let before = try room.flatMap { try MembershipStore.event(of: user, in: $0.nid, on: connection) }
            return (
                room, try before.flatMap { try EventStore.rows([$0], on: connection).first }, try EventStore.row(event.id, on: connection)
            )
        }
        guard known == nil else { return }
        let roomNID = room?.nid ?? RoomNID(environment.sequences.next(.rooms))
        let nid = EventNID(environment.sequences.next(.events))
        let replaced = try before.map { try Event(trusted: $0.json, id: $0.id, version: event.version) }
        let record = EventRecord(
            row: EventInsertion(
                event: event, nid: nid, room: roomNID, snapshot: .empty, replaces: before?.nid, flags: .outlier),
            roomID: id, clientJSON: ClientEventFormat.render(pdu: event.json, id: event.id, version: event.version),
            replaced: before.flatMap { row in replaced.map { ReplacedEvent($0, nid: row.nid) } }, stateChanges: [],
            localMembers: [EventRecord.LocalMember(user: user, membership: membership, event: nid)], redaction: nil, pendingTarget: nil,
            relation: nil, cache: environment.events, aggregations: nil)
        try await environment.journal.append(
            JournalBatch(
                records: [record],
                alongside: { connection in
                    if room == nil {
                        try RoomStore.insert(
                            nid: roomNID, id: id, version: event.version.id, creator: event.sender, published: false, on: connection)
                    }
                    if let strippedState { try StrippedStateStore.insert(strippedState, of: nid, on: connection) }
                }))
    }
}
