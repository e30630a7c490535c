// A list of rooms by recency, kept in order as things happen. MSC4186: lists are sorted by the newest event.

import MatrixCore
import Persistence

/// Rooms in the order of what happened in them last, the newest first. Moving one room costs a search and a shift of small integers; no
/// other room is looked at.
package struct RoomOrder: Sendable {
    package struct Entry: Sendable, Hashable {
        /// The newest event that counts.
        package let position: StreamPosition
        package let room: RoomNID

        package init(position: StreamPosition, room: RoomNID) {
            self.position = position
            self.room = room
        }

        /// Rooms of one position, which there are only among those that have no events, stand by their numbers.
        fileprivate func precedes(_ other: Entry) -> Bool {
            position == other.position ? room < other.room : position > other.position
        }
    }

    package private(set) var entries: [Entry] = []
    private var positions: [RoomNID: StreamPosition] = [:]

    package init() {}

    package init(_ unsorted: [Entry]) {
        entries = unsorted.sorted { $0.precedes($1) }
        positions = Dictionary(unsorted.map { ($0.room, $0.position) }) { first, _ in first }
    }

    package var count: Int { entries.count }

    /// The room's newest event; nil where the room is not in the list.
    package func position(of room: RoomNID) -> StreamPosition? { positions[room] }

    /// Puts a room into the list or moves it; nil takes it out.
    ///
    /// - Returns: whether the room has come into the list or gone.
    @discardableResult
    package mutating func set(_ room: RoomNID, to position: StreamPosition?) -> Bool {
        let known = positions[room]
        if known == position { return false }
        if let known { entries.remove(at: index(of: Entry(position: known, room: room))) }
        positions[room] = position
        if let position {
            let entry = Entry(position: position, room: room)
            entries.insert(entry, at: index(of: entry))
        }
        return (known == nil) != (position == nil)
    }

    /// The place of an entry, or where it belongs.
    private func index(of entry: Entry) -> Int {
        // What moves nearly always moves to the front.
        if let first = entries.first, !first.precedes(entry) { return 0 }
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].precedes(entry) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
