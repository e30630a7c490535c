// Redactions of events that the server does not have yet: table `pending_redactions` (migration 4).

import MatrixCore

/// Notes redactions until their event comes. Rooms §Handling redactions.
package enum PendingRedactionStore {
    package static func insert(_ redaction: EventNID, of target: EventID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "INSERT INTO pending_redactions (target_id, redaction_nid) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            [.text(target.string), .int(redaction.value)])
    }

    /// The redactions that wait for these events, in the order in which they came.
    package static func redactions(of targets: [EventID], on connection: any SQLConnection) throws -> [EventID: [EventNID]] {
        guard !targets.isEmpty else { return [:] }
        var found: [EventID: [EventNID]] = [:]
        try connection.query(
            "SELECT target_id, redaction_nid FROM pending_redactions WHERE {target_id IN $1} ORDER BY redaction_nid",
            [.texts(targets.map(\.string))]
        ) { found[EventID(trusted: $0.text(0)), default: []].append(EventNID($0.int(1))) }
        return found
    }

    /// The event has come.
    package static func remove(_ target: EventID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM pending_redactions WHERE target_id = $1", [.text(target.string)])
    }
}
