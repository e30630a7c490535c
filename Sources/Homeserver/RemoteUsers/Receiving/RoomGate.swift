// What other servers may tell about rooms. Server-Server API §Server Access Control Lists.

import MatrixCore
import Persistence
import Rooms

/// Lets only those servers speak of a room that have a member in it and that its access control list allows.
package struct RoomGate: Sendable {
    private let rooms: RoomRegistry

    package init(rooms: RoomRegistry) {
        self.rooms = rooms
    }

    /// The state of a room of which `origin` may tell something.
    ///
    /// - Returns: nil where this server is not in the room, or `origin` is kept out of it.
    package func room(_ id: RoomID, for origin: ServerName) async throws -> RoomSnapshot? {
        guard let snapshot = try await rooms.room(id)?.current, snapshot.isJoined(by: rooms.environment.serverName),
            snapshot.allows(origin)
        else { return nil }
        return snapshot
    }
}

extension UserID {
    /// A user in whose name `origin` speaks.
    ///
    /// - Throws: `MalformedEDU`.
    init(_ value: JSON?, of origin: ServerName) throws(MalformedEDU) {
        guard let text = value?.string, let user = UserID(valid: text) else { throw MalformedEDU("no user") }
        guard user.belongs(to: origin) else { throw MalformedEDU("\(user) is no user of the server that tells it") }
        self = user
    }
}
