// Who may read what of which room: the gate that every request of another server about a room passes.
// Server-Server API §Server Access Control Lists (ACLs).

import MatrixCore
import Persistence
import Rooms

/// A room, and the server that asks about it.
package struct ServedRoom: Sendable {
    package let room: Room
    package let snapshot: RoomSnapshot
    package let origin: ServerName
}

/// Answers what other servers ask about the rooms of this one.
package struct ServedRooms: Sendable {
    package let rooms: RoomRegistry
    let events: EventReader
    let database: any Database

    package init(rooms: RoomRegistry, events: EventReader) {
        self.rooms = rooms
        self.events = events
        database = rooms.environment.database
    }

    /// A room that `origin` may take part in, whether it does or not, and whose members are all known: without them this server can let
    /// nobody in or out.
    ///
    /// - Throws: `M_NOT_FOUND` for an unknown room, `M_FORBIDDEN` where the room's access control list shuts the server out.
    package func open(_ id: RoomID, to origin: ServerName) async throws -> ServedRoom {
        let served = try await reach(id, origin)
        guard !served.snapshot.isPartial else { throw MatrixError.notFound("This server is not fully joined to the room yet") }
        return served
    }

    private func reach(_ id: RoomID, _ origin: ServerName) async throws -> ServedRoom {
        let room = try await rooms.existing(id)
        let snapshot = room.current
        guard snapshot.allows(origin) else { throw MatrixError.forbidden("Server is banned from room") }
        return ServedRoom(room: room, snapshot: snapshot, origin: origin)
    }

    /// A room that `origin` takes part in.
    ///
    /// - Throws: the same, and `M_FORBIDDEN` for a server without a joined user.
    package func joined(_ id: RoomID, by origin: ServerName) async throws -> ServedRoom {
        let served = try await reach(id, origin)
        guard served.snapshot.isJoined(by: origin) else { throw MatrixError.forbidden("Host not in room.") }
        return served
    }
}
