// Which rooms a request shows, and what it wants of each. MSC4186.

import MatrixCore
import Persistence

/// The rooms in the windows of all lists, and those that are subscribed to.
struct SlidingWindows: Sendable {
    /// A list of which a range takes in every room.
    private struct Whole {
        let key: ByteString
        let order: RoomOrder
        let config: RoomConfig
    }

    private var wholes: [Whole] = []
    /// The rooms in the windows of the other lists.
    private var parts: [(key: ByteString, rooms: Set<RoomNID>)] = []
    /// What is wanted of them, and of the rooms subscribed to.
    private var configs: [RoomNID: RoomConfig] = [:]
    private let table: RequiredStateTable

    init(_ table: RequiredStateTable) {
        self.table = table
    }

    mutating func add(_ list: SlidingList, _ order: RoomOrder) {
        if list.ranges.contains(where: { $0.coversAll(order.count) }) {
            wholes.append(Whole(key: list.key, order: order, config: list.config))
            return
        }
        var rooms: Set<RoomNID> = []
        for range in list.ranges {
            for entry in order.entries[range.indices(count: order.count)] { rooms.insert(entry.room) }
        }
        for room in rooms { add(list.config, to: room) }
        parts.append((list.key, rooms))
    }

    mutating func add(_ config: RoomConfig, to room: RoomNID) {
        configs[room] = configs[room].map { both($0, config) } ?? config
    }

    private func both(_ a: RoomConfig, _ b: RoomConfig) -> RoomConfig {
        if a.covers(b) { return a }
        let union = a.union(b)
        return RoomConfig(timelineLimit: union.timelineLimit, required: table.shared(union.required))
    }

    /// What is wanted of a room; nil where it is not shown.
    func config(of room: RoomNID) -> RoomConfig? {
        var config = configs[room]
        for whole in wholes where whole.order.position(of: room) != nil {
            config = config.map { both($0, whole.config) } ?? whole.config
        }
        return config
    }

    /// Rooms shown through a window that does not take in the whole list, or a subscription.
    var partly: some Sequence<RoomNID> { configs.keys }

    /// Every room that is shown.
    var all: Set<RoomNID> {
        var rooms = Set(configs.keys)
        for whole in wholes { for entry in whole.order.entries { rooms.insert(entry.room) } }
        return rooms
    }

    /// Whether an extension is about a room.
    func contains(_ nid: RoomNID, _ room: RoomID, in scope: SlidingExtensions.Scope) -> Bool {
        if scope.allRooms || scope.rooms.contains(room) { return config(of: nid) != nil }
        if wholes.contains(where: { (scope.allLists || scope.lists.contains($0.key)) && $0.order.position(of: nid) != nil }) { return true }
        return parts.contains { (scope.allLists || scope.lists.contains($0.key)) && $0.rooms.contains(nid) }
    }
}
