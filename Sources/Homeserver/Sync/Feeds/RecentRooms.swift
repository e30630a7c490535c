// Which rooms of a user something happened in lately.

import DequeModule
import Persistence

/// A short memory of touched rooms, so that a sync right after an event looks at one room and not at all of them.
package struct RecentRooms {
    private var touches: Deque<(position: StreamPosition, room: RoomNID)> = []
    /// Everything after this position is remembered.
    package private(set) var floor: StreamPosition
    /// The last touch.
    package private(set) var newest: StreamPosition

    package static let limit = 32

    package init(floor: StreamPosition) {
        self.floor = floor
        newest = floor
    }

    package mutating func touch(_ room: RoomNID, at position: StreamPosition) {
        newest = max(newest, position)
        if let last = touches.last, last.room == room {
            touches[touches.count - 1].position = position
            return
        }
        touches.append((position, room))
        if touches.count > RecentRooms.limit, let oldest = touches.popFirst() { floor = max(floor, oldest.position) }
    }

    /// The rooms touched after `position`, each once; nil when it lies further back than is remembered.
    package func rooms(after position: StreamPosition) -> [RoomNID]? {
        guard position >= floor else { return nil }
        var rooms: [RoomNID] = []
        for touch in touches.reversed() {
            guard touch.position > position else { break }
            if !rooms.contains(touch.room) { rooms.append(touch.room) }
        }
        return rooms
    }
}
