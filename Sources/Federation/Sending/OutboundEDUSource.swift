// What the sender asks about people: the services that know it stand above this target.

import MatrixCore
import Persistence

/// What the users of this server do at the moment.
package protocol OutboundEDUSource: Sendable {
    /// The users of this server who are typing in a room.
    func typingUsers(in room: RoomID) -> [UserID]

    /// The receipts of users of this server that everyone may see and that moved after `after` up to `upTo`, as far as memory has them.
    func receipts(after: StreamPosition, upTo: StreamPosition) -> [OutboundReceipt]

    /// How these users of this server are there; nothing where presence is not shown, or not known.
    func presences(of users: [UserID]) async throws -> [OutboundPresence]

    /// Rooms that do not make their members see each other's presence.
    var roomsWithoutPresence: Set<RoomID> { get }
}
