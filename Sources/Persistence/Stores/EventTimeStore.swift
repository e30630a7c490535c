// Events by their time: table `events` (migration 1; its index by time, migration 4).

import MatrixCore

/// Finds events by `origin_server_ts`.
package enum EventTimeStore {
    /// Where a look through a room's events by time goes on.
    package struct Cursor: Sendable {
        package let timestamp: Timestamp
        package let event: EventNID

        package init(timestamp: Timestamp, event: EventNID) {
            self.timestamp = timestamp
            self.event = event
        }
    }

    /// The events of a room's timeline from a time on, the nearest first.
    ///
    /// - Parameters:
    ///   - cursor: the first event is the one behind it.
    ///   - isBackwards: towards the past.
    package static func events(
        of room: RoomNID, from cursor: Cursor, isBackwards: Bool, limit: Int, on connection: any SQLConnection
    ) throws -> [EventNID] {
        // The first condition is for the index, the second for the place among events of the same time.
        let (sign, order) = isBackwards ? ("<", "DESC") : (">", "ASC")
        return try connection.rows(
            SQL(
                """
                SELECT event_nid FROM events
                WHERE room_nid = $1 AND origin_server_ts \(sign)= $2 AND (origin_server_ts, event_nid) \(sign) ($2, $3)
                    AND position IS NOT NULL AND flags = 0
                ORDER BY origin_server_ts \(order), event_nid \(order) LIMIT $4
                """), [.int(room.value), .int(cursor.timestamp.milliseconds), .int(cursor.event.value), .int(limit)]
        ) { EventNID($0.int(0)) }
    }
}
