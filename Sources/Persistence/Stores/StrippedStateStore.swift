// What is known of rooms that this server is not in: table `stripped_states` (migration 18).

import MatrixCore

/// Reads and writes the stripped state that came with an invite or a knock.
package enum StrippedStateStore {
    /// - Parameter json: an array of stripped state events.
    package static func insert(_ json: [UInt8], of event: EventNID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "INSERT INTO stripped_states (event_nid, json) VALUES ($1, $2) ON CONFLICT (event_nid) DO UPDATE SET json = excluded.json",
            [.int(event.value), .blob(json)])
    }

    package static func state(of event: EventNID, on connection: any SQLConnection) throws -> [UInt8]? {
        try connection.first("SELECT json FROM stripped_states WHERE event_nid = $1", [.int(event.value)]) { $0.blob(0) }
    }
}
