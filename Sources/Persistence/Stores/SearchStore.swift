// The full-text index: table `search_entries`, and on SQLite `search_words` besides (migration 7).
// Client-Server API §Server Side Search.

import MatrixCore

/// What of an event is searched.
package enum SearchKey: Int64, Sendable, CaseIterable {
    case body = 1
    case name = 2
    case topic = 3
}

/// An event in the index.
package struct SearchRow: Sendable {
    package let event: EventNID
    package let room: RoomNID
    package let key: SearchKey
    package let place: SearchPlace
    /// Without U+0000.
    package let text: String

    package init(event: EventNID, room: RoomNID, key: SearchKey, place: SearchPlace, text: String) {
        self.event = event
        self.room = room
        self.key = key
        self.place = place
        self.text = text
    }
}

/// Where an event stands in the order of time; the stream's order decides between events of the same moment.
package struct SearchPlace: Sendable, Hashable {
    package let timestamp: Timestamp
    package let position: StreamPosition

    package init(timestamp: Timestamp, position: StreamPosition) {
        self.timestamp = timestamp
        self.position = position
    }
}

/// What is searched, and where.
package struct SearchQuery: Sendable {
    package let expression: SearchExpression
    package let rooms: [RoomNID]
    package var keys: [SearchKey] = SearchKey.allCases
    /// Only what these sent; nil for all.
    package var senders: [UserID]?
    package var notSenders: [UserID] = []
    /// Only what is older.
    package var before: SearchPlace?

    package init(_ expression: SearchExpression, in rooms: [RoomNID]) {
        self.expression = expression
        self.rooms = rooms
    }
}

/// An event that a search found.
package struct SearchHit: Sendable {
    package let event: EventNID
    package let room: RoomNID
    package let place: SearchPlace
    /// How well it matches: more is better.
    package let rank: Double

    fileprivate init(_ row: SQLRow) {
        event = EventNID(row.int(0))
        room = RoomNID(row.int(1))
        place = SearchPlace(timestamp: Timestamp(milliseconds: row.int(2)), position: StreamPosition(row.int(3)))
        rank = row.double(4)
    }
}

/// Writes and searches the index.
package enum SearchStore {
    // MARK: Writing

    /// How much text one statement takes in, in bytes, unless a single row has more.
    private static let textLimit = 256 * 1024

    /// Rows that are there already stay as they are. Few statements write many rows: FTS5 writes a piece of its index after each.
    package static func insert(_ rows: [SearchRow], on connection: any SQLConnection) throws {
        var known: Set<EventNID> = []
        var left = rows.filter { known.insert($0.event).inserted }[...]
        while !left.isEmpty {
            var size = 0
            let batch = left.prefix { row in
                size += row.text.utf8.count
                return size <= textLimit
            }
            // A row that is larger than the limit goes alone.
            let count = max(1, batch.count)
            try write(left.prefix(count), on: connection)
            left = left.dropFirst(count)
        }
    }

    private static func write(_ rows: ArraySlice<SearchRow>, on connection: any SQLConnection) throws {
        let values = SQLValue.records(rows, size: rows.reduce(0) { $0 + $1.text.utf8.count + 80 }) { writer, row in
            writer.int(row.event.value)
            writer.int(row.room.value)
            writer.int(row.key.rawValue)
            writer.int(row.place.timestamp.milliseconds)
            writer.int(row.place.position.value)
            writer.string(row.text)
            writer.string(SearchExpression.word(for: row.room))
        }
        for statement in connection.dialect == .postgres ? insertionOnPostgres : insertionOnSQLite {
            try connection.enqueue(statement, [values])
        }
    }

    private static let insertionOnPostgres = [
        SQL(
            """
            INSERT INTO search_entries (event_nid, room_nid, key, origin_server_ts, position, words)
            SELECT n.event_nid, n.room_nid, n.key, n.ts, n.position, to_tsvector('english', n.words)
            FROM \(records(.postgres)) AS n ON CONFLICT DO NOTHING
            """)
    ]

    private static let insertionOnSQLite = [
        SQL(
            """
            INSERT INTO search_words (rowid, words, room) SELECT n.event_nid, n.words, n.room_word FROM \(records(.sqlite)) AS n
            WHERE NOT EXISTS (SELECT 1 FROM search_entries e WHERE e.event_nid = n.event_nid)
            """),
        SQL(
            """
            INSERT INTO search_entries (event_nid, room_nid, key, origin_server_ts, position)
            SELECT n.event_nid, n.room_nid, n.key, n.ts, n.position FROM \(records(.sqlite)) AS n WHERE true ON CONFLICT DO NOTHING
            """),
    ]

    /// What `write` hands over, as a subquery.
    private static func records(_ dialect: SQLDialect) -> String {
        dialect.records(
            1,
            [
                ("event_nid", .int), ("room_nid", .int), ("key", .int), ("ts", .int), ("position", .int), ("words", .text),
                ("room_word", .text),
            ])
    }

    package static func delete(_ events: [EventID], on connection: any SQLConnection) throws {
        guard !events.isEmpty else { return }
        let ids = SQLValue.texts(events.map(\.string))
        if connection.dialect == .sqlite {
            try connection.enqueue(
                "DELETE FROM search_words WHERE rowid IN (SELECT event_nid FROM events WHERE {event_id IN $1})", [ids])
        }
        try connection.enqueue(
            "DELETE FROM search_entries WHERE event_nid IN (SELECT event_nid FROM events WHERE {event_id IN $1})", [ids])
    }

    package static func delete(numbers events: [EventNID], on connection: any SQLConnection) throws {
        guard !events.isEmpty else { return }
        let nids = SQLValue.ints(events.map(\.value))
        if connection.dialect == .sqlite { try connection.enqueue("DELETE FROM search_words WHERE {rowid IN $1}", [nids]) }
        try connection.enqueue("DELETE FROM search_entries WHERE {event_nid IN $1}", [nids])
    }

    // MARK: Searching

    /// How many of the newest matches are weighed against each other, and on SQLite put into the order of time: a common word is in
    /// millions of messages.
    private static let candidateLimit = 20_000

    /// The newest matches, newest first.
    package static func newest(_ query: SearchQuery, limit: Int, on connection: any SQLConnection) throws -> [SearchHit] {
        let candidates = connection.dialect == .postgres ? limit : max(limit, candidateLimit)
        return try hits(query, orderedBy: "h.origin_server_ts DESC, h.position DESC", limit: limit, of: candidates, on: connection)
    }

    /// The matches of the highest rank, best first.
    package static func best(_ query: SearchQuery, limit: Int, on connection: any SQLConnection) throws -> [SearchHit] {
        try hits(
            query, orderedBy: "h.rank DESC, h.origin_server_ts DESC, h.position DESC", limit: limit, of: candidateLimit, on: connection)
    }

    /// How many matches there are; it is not counted further than `limit`.
    package static func count(_ query: SearchQuery, limit: Int, on connection: any SQLConnection) throws -> Int {
        var statement = SearchStatement(query, connection.dialect)
        let end = statement.bind(.int(limit))
        let sql = "SELECT count(*) FROM (SELECT 1 FROM \(statement.source) LIMIT \(end)) AS found"
        return try connection.first(SQL(once: sql), statement.parameters) { Int($0.int(0)) } ?? 0
    }

    /// The texts of `rows` with U+0001 before each word that was found and U+0002 behind it, in no order.
    package static func marked(
        _ rows: [SearchRow], _ expression: SearchExpression, on connection: any SQLConnection
    ) throws -> [String] {
        guard !rows.isEmpty, !expression.isEmpty else { return [] }
        switch connection.dialect {
        case .postgres:
            return try connection.rows(
                "SELECT ts_headline('english', found, websearch_to_tsquery('english', $1), $3) FROM unnest($2) AS found",
                [
                    .text(expression.webSearch), .texts(rows.map(\.text)),
                    .text("HighlightAll=true, StartSel=\u{1}, StopSel=\u{2}"),
                ]
            ) { $0.text(0) }
        case .sqlite:
            return try connection.rows(
                "SELECT highlight(search_words, 0, char(1), char(2)) FROM search_words WHERE search_words MATCH $1 AND {rowid IN $2}",
                [.text(expression.match(in: nil)), .ints(rows.map(\.event.value))]
            ) { $0.text(0) }
        }
    }

    private static func hits(
        _ query: SearchQuery, orderedBy order: String, limit: Int, of candidateCount: Int, on connection: any SQLConnection
    ) throws -> [SearchHit] {
        guard !query.expression.isEmpty, !query.rooms.isEmpty, !query.keys.isEmpty else { return [] }
        var statement = SearchStatement(query, connection.dialect)
        let candidates = statement.bind(.int(candidateCount)), end = statement.bind(.int(limit))
        let sql = """
            SELECT h.event_nid, h.room_nid, h.origin_server_ts, h.position, h.rank FROM (\(statement.ranked(candidates))) AS h
            ORDER BY \(order) LIMIT \(end)
            """
        return try connection.rows(SQL(once: sql), statement.parameters, SearchHit.init)
    }
}

/// The text of one search, and what is bound to it. It is planned anew each time: how it is best done depends on how common the words are.
private struct SearchStatement {
    private(set) var parameters: [SQLValue] = []
    private let dialect: SQLDialect
    private var conditions = ""
    private var match = ""

    /// In so few rooms the index of SQLite is asked for the rooms as well.
    private static let indexedRoomLimit = 32

    init(_ query: SearchQuery, _ dialect: SQLDialect) {
        self.dialect = dialect
        let isByIndex = dialect == .sqlite && query.rooms.count <= Self.indexedRoomLimit
        switch dialect {
        case .postgres: match = bind(.text(query.expression.webSearch))
        case .sqlite: match = bind(.text(query.expression.match(in: isByIndex ? query.rooms : nil)))
        }
        if query.rooms.count == 1, !isByIndex {
            require("s.room_nid = \(bind(.int(query.rooms[0].value)))")
        } else if !isByIndex {
            require("{s.room_nid IN \(bind(.ints(query.rooms.map(\.value))))}")
        }
        if query.keys.count < SearchKey.allCases.count { require("{s.key IN \(bind(.ints(query.keys.map(\.rawValue))))}") }
        if let place = query.before {
            let (timestamp, position) = (bind(.int(place.timestamp.milliseconds)), bind(.int(place.position.value)))
            require("(s.origin_server_ts, s.position) < (\(timestamp), \(position))")
        }
        if let senders = query.senders { requireEvent("{e.sender IN \(bind(.texts(senders.map(\.string))))}") }
        if !query.notSenders.isEmpty { requireEvent("{e.sender NOT IN \(bind(.texts(query.notSenders.map(\.string))))}") }
    }

    /// - Returns: the name of the parameter.
    mutating func bind(_ value: SQLValue) -> String {
        parameters.append(value)
        return "$\(parameters.count)"
    }

    private mutating func require(_ condition: String) { conditions += " AND " + condition }

    private mutating func requireEvent(_ condition: String) {
        require("EXISTS (SELECT 1 FROM events e WHERE e.event_nid = s.event_nid AND \(condition))")
    }

    /// What follows `FROM`: the matches, as `s`.
    var source: String {
        switch dialect {
        case .postgres: "search_entries s WHERE s.words @@ \(tsquery)" + conditions
        case .sqlite:
            // In this order: only the full-text table can say what matches.
            "search_words CROSS JOIN search_entries s ON s.event_nid = search_words.rowid WHERE search_words MATCH \(match)" + conditions
        }
    }

    private var tsquery: String { "websearch_to_tsquery('english', \(match))" }

    /// The newest matches with their ranks. On SQLite the newest are those that came in last: the index is read in that order.
    ///
    /// - Parameter limit: the parameter that says how many.
    func ranked(_ limit: String) -> String {
        let columns = "event_nid, s.room_nid, s.origin_server_ts, s.position"
        switch dialect {
        case .postgres:
            return """
                SELECT s.\(columns), CAST(ts_rank_cd(s.words, \(tsquery)) AS DOUBLE PRECISION) AS rank FROM (
                    SELECT s.\(columns), s.words FROM \(source) ORDER BY s.origin_server_ts DESC, s.position DESC LIMIT \(limit)) AS s
                """
        case .sqlite:
            return """
                SELECT s.\(columns), -bm25(search_words, 1.0, 0.0) AS rank FROM \(source)
                ORDER BY search_words.rowid DESC LIMIT \(limit)
                """
        }
    }
}
