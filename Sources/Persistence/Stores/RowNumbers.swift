// The numbers by which rows and the one stream are addressed inside the server.
// Clients and other servers never see them; only the sync token carries a stream position.

/// A place in the one sequence of everything that a client can observe: events, receipts, account data, to-device
/// messages, device-list changes. Order of position is order of commit.
package struct StreamPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let value: Int64

    package init(value: Int64) { self.value = value }
    package init(_ value: Int64) { self.value = value }

    /// Before everything.
    package static let zero = StreamPosition(value: 0)

    /// Before everything that has come in or was fetched later: where a state event stands whose place is not known.
    package static let start = StreamPosition(value: Int64.min / 2)

    /// After everything.
    package static let max = StreamPosition(value: Int64.max)

    /// The position after this one.
    package var next: StreamPosition { StreamPosition(value: value + 1) }

    package static func < (a: StreamPosition, b: StreamPosition) -> Bool { a.value < b.value }
    package var description: String { String(value) }
}

extension StreamPosition: Strideable {
    package func distance(to other: StreamPosition) -> Int { Int(other.value - value) }
    package func advanced(by count: Int) -> StreamPosition { StreamPosition(value: value + Int64(count)) }
}

/// The number of a room: `rooms.room_nid`.
package struct RoomNID: Hashable, Comparable, Sendable {
    package let value: Int64
    package init(value: Int64) { self.value = value }
    package init(_ value: Int64) { self.value = value }
    package static func < (a: RoomNID, b: RoomNID) -> Bool { a.value < b.value }
}

/// The number of an event: `events.event_nid`.
package struct EventNID: Hashable, Comparable, Sendable {
    package let value: Int64
    package init(value: Int64) { self.value = value }
    package init(_ value: Int64) { self.value = value }
    package static func < (a: EventNID, b: EventNID) -> Bool { a.value < b.value }
}

/// The number of an interned pair of event type and state key: `state_keys.key_nid`.
package struct StateKeyNID: Hashable, Comparable, Sendable {
    package let value: Int64
    package init(value: Int64) { self.value = value }
    package init(_ value: Int64) { self.value = value }
    package static func < (a: StateKeyNID, b: StateKeyNID) -> Bool { a.value < b.value }
}

/// The number of a stored room state: `state_snapshots.snapshot_nid`. `SnapshotID.empty` is the state before the create event,
/// for which there is no row.
package struct SnapshotID: Hashable, Comparable, Sendable {
    package let value: Int64
    package init(value: Int64) { self.value = value }
    package init(_ value: Int64) { self.value = value }
    package static let empty = SnapshotID(value: 0)
    package static func < (a: SnapshotID, b: SnapshotID) -> Bool { a.value < b.value }
}
