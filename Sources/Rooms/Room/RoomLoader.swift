// Wakes a room from the database.

import MatrixCore
import Persistence

/// What is stored of a room that is cannot be used.
package struct RoomDamaged: Error, Sendable, CustomStringConvertible {
    package let room: RoomID
    package let reason: String
    package var description: String { "room \(room) cannot be loaded: \(reason)" }
}

extension RoomHead {
    /// The stored head of a room; nil when there is no such room, or nothing more of it than an invite.
    static func load(_ id: RoomID, on connection: any SQLConnection) throws -> RoomHead? {
        guard let room = try RoomStore.room(id, on: connection) else { return nil }
        guard let version = RoomVersion.named(room.version) else {
            throw RoomDamaged(room: id, reason: "room version \(room.version) is not known")
        }
        let current = try StateStore.currentState(of: room.nid, on: connection)
        guard !current.isEmpty else { return nil }
        let layers = try StateStore.layers(of: room.snapshot, on: connection)

        let interpreted = current.filter {
            $0.stateKey == .create || RoomSnapshot.interpretedTypes.contains($0.stateKey.type)
        }
        let events = try EventStore.rows(interpreted.map(\.event), on: connection).map {
            try Event(trusted: $0.json, id: $0.id, version: version)
        }
        guard let create = events.first(where: { $0.type == "m.room.create" }) else {
            throw RoomDamaged(room: id, reason: "it has no create event")
        }
        var head = RoomHead(roomID: id, nid: room.nid, version: version, create: create)
        head.snapshot.fill(current)
        head.snapshot.position = try EventStore.newestPosition(in: room.nid, on: connection) ?? .zero
        for event in events { head.snapshot.interpret(event) }
        if let partial = try PartialRoomStore.row(room.nid, on: connection), partial.wholeAt == nil {
            head.snapshot.lackMembers(
                PartialState(
                    foundation: partial.stateBeforeJoin, servers: Set(try PartialRoomStore.servers(in: room.nid, on: connection))))
        }
        head.snapshot.snapshotID = room.snapshot
        head.layering = SnapshotLayering(layers)
        head.forwardExtremities = room.forwardExtremities
        head.depth = room.depth
        return head
    }
}

extension RoomSnapshot {
    /// Takes over a stored state as a whole.
    fileprivate mutating func fill(_ rows: [CurrentStateRow]) {
        for row in rows {
            state[row.stateKey] = StateEntry(
                nid: row.event, id: row.id, membership: row.membership, position: row.position, key: row.key)
            if row.membership == .join || row.membership == .invite {
                count(row.membership, 1, of: UserID(trusted: row.stateKey.stateKey.string))
            }
        }
        earliestMembers = earliest(RoomSnapshot.earliestLimit) { _, membership in Optional(membership).isPresent }
    }
}
