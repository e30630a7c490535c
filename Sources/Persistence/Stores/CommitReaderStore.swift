// How far the durable readers of the commit stream have come: table `commit_readers` (migration 10).

/// Reads and writes the saved positions of readers.
package enum CommitReaderStore {
    /// nil for a reader that never ran on this database.
    package static func position(of reader: String, on connection: any SQLConnection) throws -> StreamPosition? {
        try connection.first("SELECT position FROM commit_readers WHERE name = $1", [.text(reader)]) { StreamPosition($0.int(0)) }
    }

    package static func setPosition(_ position: StreamPosition, of reader: String, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO commit_readers (name, position) VALUES ($1, $2)
            ON CONFLICT (name) DO UPDATE SET position = excluded.position
            """, [.text(reader), .int(position.value)])
    }
}
