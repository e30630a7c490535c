// What happened in a room before all that this server knows of it.

/// Gets more of a room's past from elsewhere.
package protocol RoomPast: Sendable {
    /// - Returns: whether there is more now than before.
    func extend(_ room: Room) async throws -> Bool
}
