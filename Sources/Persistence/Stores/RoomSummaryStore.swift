// What rooms look like from outside: table `room_summaries` (migration 10). Client-Server API §Published room directory.

import MatrixCore

/// One row of `room_summaries`, but for the lists it stands in.
package struct RoomSummaryRow: Sendable {
    package var room: RoomNID
    package var roomID: RoomID
    package var joinedMembers: Int64
    package var name: String?
    package var topic: String?
    package var canonicalAlias: String?
    package var avatarURL: String?
    package var joinRule: String?
    package var roomType: String?
    package var worldReadable = false
    package var guestCanJoin = false
    package var federates = true
    /// Its rules let it be shown in a list: who sees it can join, knock or read.
    package var isListable = false
    /// Everyone may join or read it.
    package var isPublic = false
    /// Lowercase: what a search looks through.
    package var searchText = ""

    package init(room: RoomNID, roomID: RoomID, joinedMembers: Int64) {
        self.room = room
        self.roomID = roomID
        self.joinedMembers = joinedMembers
    }
}

/// Reads and writes summaries of rooms.
package enum RoomSummaryStore {
    /// Writes what a room looks like. The lists that a room is in are another's business; a new row takes over what `rooms` says.
    package static func set(_ row: RoomSummaryRow, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO room_summaries (room_nid, room_id, published, listed, is_listable, is_public, federates, joined_members, name,
                topic, canonical_alias, avatar_url, join_rule, room_type, world_readable, guest_can_join, search_text)
            SELECT r.room_nid, r.room_id, r.published,
                r.published OR EXISTS (SELECT 1 FROM appservice_rooms a WHERE a.room_nid = r.room_nid),
                $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
            FROM rooms r WHERE r.room_nid = $1
            ON CONFLICT (room_nid) DO UPDATE SET is_listable = excluded.is_listable, is_public = excluded.is_public,
                federates = excluded.federates, joined_members = excluded.joined_members, name = excluded.name,
                topic = excluded.topic, canonical_alias = excluded.canonical_alias, avatar_url = excluded.avatar_url,
                join_rule = excluded.join_rule, room_type = excluded.room_type, world_readable = excluded.world_readable,
                guest_can_join = excluded.guest_can_join, search_text = excluded.search_text
            """,
            [
                .int(row.room.value), .bool(row.isListable), .bool(row.isPublic), .bool(row.federates), .int(row.joinedMembers),
                .optional(row.name), .optional(row.topic), .optional(row.canonicalAlias), .optional(row.avatarURL),
                .optional(row.joinRule), .optional(row.roomType), .bool(row.worldReadable), .bool(row.guestCanJoin),
                .text(row.searchText),
            ])
    }

    package static func setJoinedMembers(_ count: Int64, of room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "UPDATE room_summaries SET joined_members = $2 WHERE room_nid = $1", [.int(room.value), .int(count)])
    }

    package static func delete(_ room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM room_summaries WHERE room_nid = $1", [.int(room.value)])
    }

    // MARK: Lists

    /// Puts a room into this server's own list, or takes it out.
    package static func setPublished(_ published: Bool, _ room: RoomNID, on connection: any SQLConnection) throws {
        try RoomStore.setPublished(published, room, on: connection)
        try notePublication(of: room, on: connection)
    }

    /// Puts a room into a list of an application service, or takes it out.
    package static func setPublished(
        _ published: Bool, _ room: RoomNID, by service: String, network: String, on connection: any SQLConnection
    ) throws {
        let parameters: [SQLValue] = [.text(service), .text(network), .int(room.value)]
        if published {
            try connection.enqueue(
                "INSERT INTO appservice_rooms (appservice_id, network_id, room_nid) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                parameters)
        } else {
            try connection.enqueue(
                "DELETE FROM appservice_rooms WHERE appservice_id = $1 AND network_id = $2 AND room_nid = $3", parameters)
        }
        try notePublication(of: room, on: connection)
    }

    /// Brings `published` and `listed` up to date. A room whose summary is still to be written gets a row that shows nothing yet.
    private static func notePublication(of room: RoomNID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO room_summaries (room_nid, room_id, published, listed, is_listable, is_public, federates, joined_members,
                world_readable, guest_can_join, search_text)
            SELECT r.room_nid, r.room_id, r.published,
                r.published OR EXISTS (SELECT 1 FROM appservice_rooms a WHERE a.room_nid = r.room_nid),
                false, false, false, 0, false, false, ''
            FROM rooms r WHERE r.room_nid = $1
            ON CONFLICT (room_nid) DO UPDATE SET published = excluded.published, listed = excluded.listed
            """, [.int(room.value)])
    }
}
