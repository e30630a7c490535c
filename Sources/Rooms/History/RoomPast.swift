// What happened in a room and this server does not know of.

import Persistence

/// Gets more of a room's past from elsewhere.
package protocol RoomPast: Sendable {
    /// - Parameter gap: the floor of a gap in the room's timeline; zero: what happened before all that is known.
    /// - Returns: whether there is more now than before.
    func extend(_ room: Room, in gap: StreamPosition) async throws -> Bool
}
