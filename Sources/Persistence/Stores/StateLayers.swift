// Several states of a room, read together: table `state_snapshots` (migration 1).

import MatrixCore

/// States as they are stored. The layers that they share are read and unpacked once.
package struct StateLayers: Sendable {
    private var layers: [SnapshotID: StateLayerRow] = [:]

    package init(_ snapshots: [SnapshotID], on connection: any SQLConnection) throws {
        try connection.query(
            """
            WITH RECURSIVE chain (snapshot_nid, parent_nid) AS (
                SELECT snapshot_nid, parent_nid FROM state_snapshots WHERE {snapshot_nid IN $1}
                UNION
                SELECT s.snapshot_nid, s.parent_nid FROM chain c JOIN state_snapshots s ON s.snapshot_nid = c.parent_nid
            )
            SELECT s.snapshot_nid, s.parent_nid, s.delta FROM chain c JOIN state_snapshots s ON s.snapshot_nid = c.snapshot_nid
            """, [.ints(Set(snapshots).map(\.value))]
        ) { row in
            let layer = StateLayerRow(
                snapshot: SnapshotID(row.int(0)), parent: row.optionalInt(1).map { SnapshotID($0) },
                delta: try StateDelta(packed: row.blob(2)))
            layers[layer.snapshot] = layer
        }
    }

    /// The event that a key has in one of the states; nil where it has none.
    package func event(_ key: StateKeyNID, at snapshot: SnapshotID) -> EventNID? {
        var layer = layers[snapshot]
        while let current = layer {
            if let pair = current.delta.pair(key) { return pair.event }
            layer = current.parent.flatMap { layers[$0] }
        }
        return nil
    }

    /// The events of one of the states, in the order of their numbers.
    package func events(at snapshot: SnapshotID) -> [EventNID] {
        guard var layer = layers[snapshot] else { return [] }
        var whole = layer.delta
        while let parent = layer.parent.flatMap({ layers[$0] }) {
            whole = whole.over(parent.delta)
            layer = parent
        }
        return whole.pairs.compactMap(\.event).sorted()
    }
}
