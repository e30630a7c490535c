// What only sync asks of the tables of events: where rooms end, and events as they were signed.

import MatrixCore

/// Read-only queries of the sync engine.
package enum SyncStore {
    /// The positions of the newest events of these rooms: one look at the end of an index for each. Rooms without events are left out.
    package static func newestPositions(of rooms: [RoomNID], on connection: any SQLConnection) throws -> [RoomNID: StreamPosition] {
        guard !rooms.isEmpty else { return [:] }
        var positions: [RoomNID: StreamPosition] = [:]
        try connection.query(
            """
            SELECT r.room_nid, (SELECT max(e.position) FROM events e WHERE e.room_nid = r.room_nid)
            FROM rooms r WHERE {r.room_nid IN $1}
            """, [.ints(rooms.map(\.value))]
        ) { row in
            if let position = row.optionalInt(1) { positions[RoomNID(row.int(0))] = StreamPosition(position) }
        }
        return positions
    }

    /// Events in the form in which servers exchange them. Client-Server API §Filtering, `event_format`.
    package static func pdus(_ events: [EventNID], on connection: any SQLConnection) throws -> [EventNID: [UInt8]] {
        guard !events.isEmpty else { return [:] }
        var pdus: [EventNID: [UInt8]] = [:]
        try connection.query("SELECT event_nid, json FROM events WHERE {event_nid IN $1}", [.ints(events.map(\.value))]) { row in
            pdus[EventNID(row.int(0))] = row.blob(1)
        }
        return pdus
    }
}
