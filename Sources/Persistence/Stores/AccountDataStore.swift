// What clients keep on the server for a user, global and per room: table `account_data` (migration 2).
// Client-Server API §Client Config.

import MatrixCore

/// One row of `account_data`.
package struct AccountDataRow: Sendable {
    /// The room it belongs to; nil for global account data.
    package let room: RoomID?
    package let type: ByteString
    /// A JSON object; an empty one for what was deleted.
    package let content: [UInt8]
    package let position: Int64

    fileprivate init(_ row: SQLRow) {
        let room = row.text(0)
        self.room = room.isEmpty ? nil : RoomID(trusted: room)
        type = ByteString(row.text(1))
        let stored = row.blob(2)
        content = stored.isEmpty ? Array("{}".utf8) : stored
        position = row.int(3)
    }
}

/// Reads and writes account data. What was deleted keeps a row with no content at all, so that clients can be told.
package enum AccountDataStore {
    package static func content(
        _ type: ByteString, room: RoomID?, of user: UserID, on connection: any SQLConnection
    ) throws -> [UInt8]? {
        try connection.first(
            "SELECT content FROM account_data WHERE user_id = $1 AND room_id = $2 AND type = $3 AND length(content) > 0",
            [.text(user.string), .text(room?.string ?? ""), .text(type.string)]
        ) { $0.blob(0) }
    }

    /// What was written after `after` up to `upTo`, in the order of writing.
    package static func changes(
        of user: UserID, after: Int64, upTo: Int64, on connection: any SQLConnection
    ) throws -> [AccountDataRow] {
        try connection.rows(
            """
            SELECT room_id, type, content, position FROM account_data
            WHERE user_id = $1 AND position > $2 AND position <= $3 ORDER BY position
            """, [.text(user.string), .int(after), .int(upTo)], AccountDataRow.init)
    }

    /// Everything the user has, as it is now, in the order of writing.
    package static func all(of user: UserID, on connection: any SQLConnection) throws -> [AccountDataRow] {
        try connection.rows(
            "SELECT room_id, type, content, position FROM account_data WHERE user_id = $1 AND length(content) > 0 ORDER BY position",
            [.text(user.string)], AccountDataRow.init)
    }

    /// Writes one value at its position; a position is never moved back. Content without any bytes is a deletion.
    package static func set(
        _ type: ByteString, room: RoomID?, to content: [UInt8], of user: UserID, position: Int64, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO account_data (user_id, room_id, type, position, content) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (user_id, room_id, type) DO UPDATE SET position = excluded.position, content = excluded.content
            WHERE account_data.position < excluded.position
            """,
            [.text(user.string), .text(room?.string ?? ""), .text(type.string), .int(position), .blob(content)])
    }
}
