// Room state: tables `state_keys`, `state_snapshots`, `current_state` and `state_changes` (migration 1).

import MatrixCore

/// One entry of a room's current state.
package struct CurrentStateRow: Sendable {
    package let key: StateKeyNID
    package let stateKey: StateKey
    package let event: EventNID
    package let id: EventID
    package let membership: Membership?
    package let position: StreamPosition
}

/// A state event as it would stand in a room's state.
package struct StateHolderRow: Sendable {
    package let stateKey: StateKey
    package let event: EventNID
    package let id: EventID
    package let membership: Membership?
    package let position: StreamPosition
}

/// One piece of a stored state: `delta` over the state `parent`.
package struct StateLayerRow: Sendable {
    package let snapshot: SnapshotID
    package let parent: SnapshotID?
    package let delta: StateDelta

    package init(snapshot: SnapshotID, parent: SnapshotID?, delta: StateDelta) {
        self.snapshot = snapshot
        self.parent = parent
        self.delta = delta
    }
}

/// One change of a room's current state.
package struct StateChangeRow: Sendable {
    package let position: StreamPosition
    package let stateKey: StateKey
    /// nil: the key was taken away.
    package let event: EventNID?
}

/// Reads and writes room state.
package enum StateStore {
    // MARK: State keys

    /// From how many keys of one type on they are asked for as a list.
    private static let listThreshold = 4

    package static func keys(_ keys: [StateKey], on connection: any SQLConnection) throws -> [StateKey: StateKeyNID] {
        var result: [StateKey: StateKeyNID] = [:]
        let byType = Dictionary(grouping: keys, by: \.type)
        for (type, keys) in byType where keys.count > listThreshold {
            // Each is looked up by itself: a plan of PostgreSQL made for an empty table would read all keys of the type, and compare
            // each with the whole list.
            try connection.query(
                """
                SELECT wanted.value, (SELECT key_nid FROM state_keys WHERE type = $1 AND state_key = wanted.value)
                FROM {EACH $2 AS wanted}
                """, [.text(type.string), .texts(keys.map(\.stateKey.string))]
            ) { row in
                guard let nid = row.optionalInt(1) else { return }
                result[StateKey(type: type, stateKey: ByteString(row.text(0)))] = StateKeyNID(nid)
            }
        }
        for key in keys where byType[key.type].map({ $0.count <= listThreshold }) == true {
            let nid = try connection.first(
                "SELECT key_nid FROM state_keys WHERE type = $1 AND state_key = $2",
                [.text(key.type.string), .text(key.stateKey.string)]
            ) { StateKeyNID($0.int(0)) }
            if let nid { result[key] = nid }
        }
        return result
    }

    package static func keys(_ nids: [StateKeyNID], on connection: any SQLConnection) throws -> [StateKeyNID: StateKey] {
        var result: [StateKeyNID: StateKey] = [:]
        try connection.query(
            "SELECT key_nid, type, state_key FROM state_keys WHERE {key_nid IN $1}", [.ints(nids.map(\.value))]
        ) { row in
            result[StateKeyNID(row.int(0))] = StateKey(type: ByteString(row.text(1)), stateKey: ByteString(row.text(2)))
        }
        return result
    }

    /// Gives `key` the number `nid`. It may have that number already; another one is a unique violation.
    package static func insertKey(_ key: StateKey, nid: StateKeyNID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "INSERT INTO state_keys (key_nid, type, state_key) VALUES ($1, $2, $3) ON CONFLICT (key_nid) DO NOTHING",
            [.int(nid.value), .text(key.type.string), .text(key.stateKey.string)])
    }

    // MARK: Snapshots

    package static func insertSnapshot(_ layer: StateLayerRow, room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "INSERT INTO state_snapshots (snapshot_nid, room_nid, parent_nid, delta) VALUES ($1, $2, $3, $4)",
            [.int(layer.snapshot.value), .int(room.value), .optional(layer.parent?.value), .blob(layer.delta.packed)])
    }

    /// The pieces of which a state is made up, newest first. Empty for `SnapshotID.empty`.
    package static func layers(of snapshot: SnapshotID, on connection: any SQLConnection) throws -> [StateLayerRow] {
        try connection.rows(
            """
            WITH RECURSIVE chain (snapshot_nid, parent_nid, delta, depth) AS (
                SELECT snapshot_nid, parent_nid, delta, 0 FROM state_snapshots WHERE snapshot_nid = $1
                UNION ALL
                SELECT s.snapshot_nid, s.parent_nid, s.delta, c.depth + 1
                FROM chain c JOIN state_snapshots s ON s.snapshot_nid = c.parent_nid
            )
            SELECT snapshot_nid, parent_nid, delta FROM chain ORDER BY depth
            """, [.int(snapshot.value)]
        ) { row in
            StateLayerRow(
                snapshot: SnapshotID(row.int(0)), parent: row.optionalInt(1).map { SnapshotID($0) },
                delta: try StateDelta(packed: row.blob(2)))
        }
    }

    /// The whole state of a snapshot.
    package static func state(at snapshot: SnapshotID, on connection: any SQLConnection) throws -> [StateKey: EventNID] {
        let layers = try layers(of: snapshot, on: connection)
        guard let newest = layers.first else { return [:] }
        let whole = layers.dropFirst().reduce(newest.delta) { $0.over($1.delta) }.withoutRemovals()
        let keys = try keys(whole.pairs.map(\.key), on: connection)
        var state: [StateKey: EventNID] = [:]
        state.reserveCapacity(whole.count)
        for pair in whole.pairs {
            if let key = keys[pair.key] { state[key] = pair.event }
        }
        return state
    }

    /// The events that some keys have in a snapshot; keys without one are left out.
    package static func events(
        _ keys: [StateKey], at snapshot: SnapshotID, on connection: any SQLConnection
    ) throws -> [StateKey: EventNID] {
        let nids = try self.keys(keys, on: connection)
        guard !nids.isEmpty else { return [:] }
        let layers = try layers(of: snapshot, on: connection)
        var state: [StateKey: EventNID] = [:]
        for (key, nid) in nids {
            state[key] = layers.lazy.compactMap { $0.delta.pair(nid) }.first?.event
        }
        return state
    }

    // MARK: Current state

    package static func currentState(of room: RoomNID, on connection: any SQLConnection) throws -> [CurrentStateRow] {
        try connection.rows(
            """
            SELECT c.key_nid, k.type, k.state_key, c.event_nid, e.event_id, e.membership, e.position
            FROM current_state c JOIN state_keys k ON k.key_nid = c.key_nid JOIN events e ON e.event_nid = c.event_nid
            WHERE c.room_nid = $1
            """, [.int(room.value)]
        ) { row in
            CurrentStateRow(
                key: StateKeyNID(row.int(0)),
                stateKey: StateKey(type: ByteString(row.text(1)), stateKey: ByteString(row.text(2))),
                event: EventNID(row.int(3)), id: EventID(trusted: row.text(4)),
                membership: row.optionalText(5).flatMap(Membership.init(rawValue:)),
                position: row.optionalInt(6).map { StreamPosition($0) } ?? .start)
        }
    }

    /// What these events are as holders of a room's state. Those of other rooms, rejected ones, and those that are no state are left out.
    package static func holders(of ids: [EventID], in room: RoomNID, on connection: any SQLConnection) throws -> [StateHolderRow] {
        guard !ids.isEmpty else { return [] }
        return try connection.rows(
            """
            SELECT event_nid, event_id, type, state_key, membership, position, flags FROM events
            WHERE {event_id IN $1} AND room_nid = $2 AND state_key IS NOT NULL
            """, [.texts(ids.map(\.string)), .int(room.value)]
        ) { row in
            EventFlags(rawValue: row.int(6)).contains(.rejected)
                ? nil
                : StateHolderRow(
                    stateKey: StateKey(type: ByteString(row.text(2)), stateKey: ByteString(row.text(3))), event: EventNID(row.int(0)),
                    id: EventID(trusted: row.text(1)), membership: row.optionalText(4).flatMap(Membership.init(rawValue:)),
                    position: row.optionalInt(5).map { StreamPosition($0) } ?? .start)
        }.compactMap { $0 }
    }

    /// Makes `event` the holder of `key`, and notes when; nil takes the key away.
    package static func setCurrent(
        _ key: StateKeyNID, event: EventNID?, in room: RoomNID, at position: StreamPosition, on connection: any SQLConnection
    ) throws {
        if let event {
            try insertCurrent(key, event: event, in: room, on: connection)
        } else {
            try connection.enqueue(
                "DELETE FROM current_state WHERE room_nid = $1 AND key_nid = $2", [.int(room.value), .int(key.value)])
        }
        try connection.enqueue(
            "INSERT INTO state_changes (room_nid, position, key_nid, event_nid) VALUES ($1, $2, $3, $4)",
            [.int(room.value), .int(position.value), .int(key.value), .optional(event?.value)])
    }

    /// Makes `event` the holder of `key` in a room whose state comes in as a whole: nobody has seen another state of it.
    package static func insertCurrent(
        _ key: StateKeyNID, event: EventNID, in room: RoomNID, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO current_state (room_nid, key_nid, event_nid) VALUES ($1, $2, $3)
            ON CONFLICT (room_nid, key_nid) DO UPDATE SET event_nid = excluded.event_nid
            """, [.int(room.value), .int(key.value), .int(event.value)])
    }

    /// Forgets the current state of a room that comes in anew.
    package static func deleteCurrent(in room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM current_state WHERE room_nid = $1", [.int(room.value)])
    }

    /// The changes of a room's state with `after < position <= upTo`, oldest first.
    package static func changes(
        of room: RoomNID, after: StreamPosition, upTo: StreamPosition, on connection: any SQLConnection
    ) throws -> [StateChangeRow] {
        try connection.rows(
            """
            SELECT s.position, k.type, k.state_key, s.event_nid
            FROM state_changes s JOIN state_keys k ON k.key_nid = s.key_nid
            WHERE s.room_nid = $1 AND s.position > $2 AND s.position <= $3 ORDER BY s.position
            """, [.int(room.value), .int(after.value), .int(upTo.value)]
        ) { row in
            StateChangeRow(
                position: StreamPosition(row.int(0)),
                stateKey: StateKey(type: ByteString(row.text(1)), stateKey: ByteString(row.text(2))),
                event: row.optionalInt(3).map { EventNID($0) })
        }
    }
}
