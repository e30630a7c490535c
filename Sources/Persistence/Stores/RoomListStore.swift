// Pages of the published room directory: tables `room_summaries` and `appservice_rooms` (migration 10).

import MatrixCore

/// What a page of the room directory is to show.
package struct RoomListQuery: Sendable {
    /// Which list. Client-Server API §Listing rooms, `third_party_instance_id`.
    package enum List: Sendable, Hashable {
        /// This server's own.
        case own
        /// That of a network of an application service.
        case network(service: String, network: String)
        case all
    }

    /// A place in the list, which is ordered by members, most first, and then by room id, greatest first.
    package struct Place: Sendable, Hashable {
        package let joinedMembers: Int64
        package let room: String

        package init(joinedMembers: Int64, room: String) {
            self.joinedMembers = joinedMembers
            self.room = room
        }
    }

    package enum Direction: Sendable, Hashable {
        /// Towards rooms with fewer members.
        case forwards
        case backwards
    }

    package var list: List = .own
    /// Where the page begins; nil: where its direction comes from.
    package var start: Place?
    package var direction: Direction = .forwards
    /// Lowercase text that stands in a room's name, topic or alias.
    package var searchTerm: String?
    /// Types of rooms, nil for rooms without one; nil for rooms of every type.
    package var roomTypes: [String?]?
    /// Leaves out rooms that are closed to other servers.
    package var isForOtherServers = false

    package init() {}
}

extension RoomSummaryRow {
    fileprivate init(_ row: SQLRow) {
        self.init(room: RoomNID(row.int(0)), roomID: RoomID(trusted: row.text(1)), joinedMembers: row.int(2))
        name = row.optionalText(3)
        topic = row.optionalText(4)
        canonicalAlias = row.optionalText(5)
        avatarURL = row.optionalText(6)
        joinRule = row.optionalText(7)
        roomType = row.optionalText(8)
        worldReadable = row.bool(9)
        guestCanJoin = row.bool(10)
    }
}

/// Reads pages of the room directory.
package enum RoomListStore {
    /// At most `limit` rooms, most members first, whatever the direction.
    package static func page(_ query: RoomListQuery, limit: Int, on connection: any SQLConnection) throws -> [RoomSummaryRow] {
        var statement = Statement(query)
        if let start = query.start {
            let comparison = query.direction == .forwards ? "<" : ">"
            let (members, room) = (statement.bind(.int(start.joinedMembers)), statement.bind(.text(start.room)))
            statement.conditions.append("(s.joined_members, s.room_id) \(comparison) (\(members), \(room))")
        }
        let order = query.direction == .forwards ? "DESC" : "ASC"
        let rows = try connection.rows(
            SQL(
                """
                SELECT s.room_nid, s.room_id, s.joined_members, s.name, s.topic, s.canonical_alias, s.avatar_url, s.join_rule, s.room_type,
                    s.world_readable, s.guest_can_join
                FROM room_summaries s WHERE \(statement.conditions.joined(separator: " AND "))
                ORDER BY s.joined_members \(order), s.room_id \(order) LIMIT \(statement.bind(.int(limit)))
                """), statement.parameters, RoomSummaryRow.init)
        return query.direction == .forwards ? rows : rows.reversed()
    }

    /// How many rooms there are in all that the query, from wherever it starts, would show.
    package static func count(_ query: RoomListQuery, on connection: any SQLConnection) throws -> Int64 {
        let statement = Statement(query)
        let text = "SELECT count(*) FROM room_summaries s WHERE \(statement.conditions.joined(separator: " AND "))"
        return try connection.first(SQL(text), statement.parameters) { $0.int(0) } ?? 0
    }

    /// The conditions of a query with their parameters. Of the texts there are few: each is kept prepared.
    private struct Statement {
        // These two are the condition of the index by which the list is read.
        var conditions = ["s.listed", "s.is_listable", "s.joined_members > 0"]
        var parameters: [SQLValue] = []

        init(_ query: RoomListQuery) {
            switch query.list {
            case .own:
                conditions.append("s.published")
            case .all:
                break
            case .network(let service, let network):
                let (service, network) = (bind(.text(service)), bind(.text(network)))
                conditions.append(
                    """
                    EXISTS (SELECT 1 FROM appservice_rooms a
                        WHERE a.appservice_id = \(service) AND a.network_id = \(network) AND a.room_nid = s.room_nid)
                    """)
            }
            if query.isForOtherServers { conditions.append("s.federates") }
            if let term = query.searchTerm {
                conditions.append("s.search_text LIKE \(bind(.text(Self.pattern(term)))) ESCAPE '\\'")
            }
            if let types = query.roomTypes {
                let named = bind(.texts(types.compactMap { $0 }))
                let unnamed = bind(.bool(types.contains(nil)))
                conditions.append("({s.room_type IN \(named)} OR (s.room_type IS NULL AND \(unnamed)))")
            }
        }

        mutating func bind(_ value: SQLValue) -> String {
            parameters.append(value)
            return "$\(parameters.count)"
        }

        /// Anything around the term, in which nothing is a wildcard.
        private static func pattern(_ term: String) -> String {
            var pattern = "%"
            for scalar in term.unicodeScalars {
                if scalar == "%" || scalar == "_" || scalar == "\\" { pattern += "\\" }
                pattern.unicodeScalars.append(scalar)
            }
            return pattern + "%"
        }
    }
}
