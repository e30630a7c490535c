// A room's becoming whole, on its way into the Journal.

import MatrixCore
import Persistence

/// The place in the stream at which a room has all its members.
struct CompletionRecord: JournalRecord {
    let room: RoomID
    let nid: RoomNID
    let entries: EntryChanges

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        for pair in entries.changed {
            try StateStore.setCurrent(pair.key, event: pair.event, in: nid, at: position, on: connection)
        }
        for member in entries.localMembers {
            try MembershipStore.set(member.membership, of: member.user, in: nid, event: member.event, at: position, on: connection)
        }
        try PartialRoomStore.setWhole(nid, at: position, on: connection)
        guard !entries.departed.isEmpty else { return }
        // With whom no room is shared, of them nobody tells this server: what is known of their devices is worth nothing.
        let known = Set(try SharedRoomStore.known(entries.departed, on: connection))
        try RemoteDeviceStore.forget(entries.departed.filter { !known.contains($0) }, on: connection)
    }

    func isStored(on connection: any SQLConnection, at position: StreamPosition) throws -> Bool? {
        try PartialRoomStore.row(nid, on: connection)?.wholeAt == position
    }

    func change(at position: StreamPosition) -> Change { Change(position: position, kind: .completion(room: room, nid: nid)) }
}
