// Who is typing where, as a value. Client-Server API §Typing notifications.

import MatrixCore
import Persistence

/// Who is typing in which room, and until when. It decides; `TypingService` acts.
///
/// Times are durations since some moment that the caller chose, so that a test can be the clock.
package struct TypingBoard: Sendable {
    private struct Entry {
        /// Until when each user is typing.
        var users: [UserID: Duration] = [:]
        /// The stream position of the last change.
        var changedAt: StreamPosition = .zero
    }

    private var rooms: [RoomID: Entry] = [:]
    /// Rooms in which nobody is typing any more are remembered up to this many, so that readers hear of the end.
    private let quietRoomLimit: Int

    package init(quietRoomLimit: Int = 1000) {
        self.quietRoomLimit = quietRoomLimit
    }

    /// Notes that `user` is typing until `end`.
    /// - Returns: whether readers have to be told: not when the user only goes on.
    package mutating func start(_ user: UserID, in room: RoomID, until end: Duration) -> Bool {
        rooms[room, default: Entry()].users.updateValue(end, forKey: user) == nil
    }

    /// - Returns: whether the user was typing.
    package mutating func stop(_ user: UserID, in room: RoomID) -> Bool {
        rooms[room]?.users.removeValue(forKey: user) != nil
    }

    package func isTyping(_ user: UserID, in room: RoomID) -> Bool { rooms[room]?.users[user] != nil }

    /// Ends what is over at `now`.
    /// - Returns: the rooms in which somebody has stopped.
    package mutating func expire(at now: Duration) -> [RoomID] {
        var changed: [RoomID] = []
        for (room, entry) in rooms where entry.users.contains(where: { $0.value <= now }) {
            rooms[room]?.users = entry.users.filter { $0.value > now }
            changed.append(room)
        }
        return changed
    }

    /// When the next user stops.
    package var nextEnd: Duration? {
        rooms.values.lazy.compactMap { $0.users.values.min() }.min()
    }

    /// A change of `room` is published at `position`.
    package mutating func publish(_ room: RoomID, at position: StreamPosition) {
        rooms[room, default: Entry()].changedAt = position
        forgetQuietRooms()
    }

    /// The position of the last change, and who is typing, in the order of their ids.
    package func state(in room: RoomID) -> (changedAt: StreamPosition, users: [UserID]) {
        guard let entry = rooms[room] else { return (.zero, []) }
        return (entry.changedAt, entry.users.keys.sorted())
    }

    /// When there are twice as many quiet rooms as there may be, those with the oldest changes go.
    private mutating func forgetQuietRooms() {
        guard rooms.count > 2 * quietRoomLimit else { return }
        let quiet = rooms.filter { $0.value.users.isEmpty }.sorted { $0.value.changedAt > $1.value.changedAt }
        for (room, _) in quiet.dropFirst(quietRoomLimit) { rooms[room] = nil }
    }
}
