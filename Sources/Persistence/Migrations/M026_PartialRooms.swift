// Migration 26: rooms of which this server has the members not yet.

extension Migration {
    package static let partialRooms = Migration(number: 26, name: "partial rooms") { _ in
        [
            // Rooms that came in without their members. `join_nid`: the join by which they came. `whole_position`: when the rest had been
            // fetched; NULL until then. `joined_via`: the server that handed the room over.
            """
            CREATE TABLE partial_rooms (
                room_nid BIGINT NOT NULL PRIMARY KEY,
                join_nid BIGINT NOT NULL,
                joined_via TEXT NOT NULL,
                whole_position BIGINT
            )
            """,
            "CREATE INDEX partial_rooms_whole ON partial_rooms (whole_position)",

            // The servers that were in such a room at the time, of which no member may be known.
            """
            CREATE TABLE partial_room_servers (
                room_nid BIGINT NOT NULL,
                server_name TEXT NOT NULL,
                PRIMARY KEY (room_nid, server_name)
            )
            """,
        ]
    }
}
