// Which state events cite an event in their `auth_events`: table `auth_citations` (migration 18).

import MatrixCore

/// Reads and writes the graph of authorization, in the direction in which events do not say it.
package enum AuthCitationStore {
    package static func insert(cited: Set<EventNID>, by citing: EventNID, on connection: any SQLConnection) throws {
        if cited.isEmpty { return }
        // "WHERE true": SQLite would take ON for a part of the join.
        try connection.enqueue(
            """
            INSERT INTO auth_citations (cited_nid, citing_nid) SELECT cited.value, $2 FROM {EACH $1 AS cited} WHERE true
            ON CONFLICT DO NOTHING
            """, [.ints(cited.map(\.value).sorted()), .int(citing.value)])
    }

    /// A page of the state events that cite an event, in the order in which the server got them.
    package static func page(_ request: CitationsRequest, on connection: any SQLConnection) throws -> [Citation] {
        try connection.rows(
            """
            SELECT e.event_id, e.type, e.state_key
            FROM events d JOIN auth_citations c ON c.cited_nid = d.event_nid JOIN events e ON e.event_nid = c.citing_nid
            WHERE d.event_id = $1 ORDER BY c.citing_nid LIMIT $2 OFFSET $3
            """, [.text(request.cited.string), .int(request.limit), .int(request.offset)]
        ) { row in
            Citation(
                citing: EventID(trusted: row.text(0)),
                key: StateKey(type: ByteString(row.text(1)), stateKey: ByteString(row.text(2))))
        }
    }
}
