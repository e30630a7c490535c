// The full-text index on both databases.

import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("Search store")
struct SearchStoreTests {
    private static let (alice, bob) = (UserID(trusted: "@alice:example.org"), UserID(trusted: "@bob:example.org"))
    private static let texts = [
        "the cat is running home", "two dogs ran after the cats", "foo-bar and a plain foo", "world, hello", "hello to the whole world",
        "日 本 語 is a language", "über allem",
    ]

    /// Texts 1, 2, … of room 1, each a second newer than the one before, by Alice and Bob in turns.
    private static func fill(_ database: any Database) async throws {
        try await database.write { connection in
            for (index, text) in texts.enumerated() {
                let number = Int64(index + 1)
                try insertEvent(number, room: 1, by: index % 2 == 0 ? alice : bob, on: connection)
                try SearchStore.insert([row(number, room: 1, text)], on: connection)
            }
        }
    }

    private static func row(_ number: Int64, room: Int64, _ text: String, key: SearchKey = .body) -> SearchRow {
        SearchRow(event: EventNID(number), room: RoomNID(room), key: key, place: place(number), text: text)
    }

    private static func place(_ number: Int64) -> SearchPlace {
        SearchPlace(timestamp: Timestamp(milliseconds: number * 1000), position: StreamPosition(number + 100))
    }

    private static func insertEvent(_ number: Int64, room: Int64, by sender: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO events (event_nid, event_id, room_nid, position, type, sender, origin_server_ts, depth, snapshot_nid, flags, json)
            VALUES ($1, $2, $3, $1, 'm.room.message', $4, 1, 1, 0, 0, $5)
            """, [.int(number), .text("$\(number)"), .int(room), .text(sender.string), .blob([])])
    }

    private static func phrase(_ phrases: String...) -> SearchExpression { SearchExpression([.init(wanted: phrases)]) }

    private func found(_ query: SearchQuery, limit: Int = 100, in database: any Database) async throws -> [Int64] {
        try await database.read { try SearchStore.newest(query, limit: limit, on: $0) }.map(\.event.value)
    }

    @Test("rows come in batches of any size, each once, and none twice when they come again", arguments: DatabaseKind.allCases)
    func batches(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            // With quotes and signs that mean something to JSON, and together larger than what one statement takes.
            let filler = String(repeating: "\"a\\ {word} \u{1F600} ", count: 3000)
            let rows = (Int64(1)...12).map { Self.row($0, room: 1, "\(filler) number\($0)") }
            try await database.write { connection in
                for number in Int64(1)...12 { try Self.insertEvent(number, room: 1, by: Self.alice, on: connection) }
                try SearchStore.insert([], on: connection)
                try SearchStore.insert([rows[3], rows[3]], on: connection)
                try SearchStore.insert(rows + [rows[0]], on: connection)
            }
            try await database.write { try SearchStore.insert(rows.reversed(), on: $0) }
            for number in Int64(1)...12 {
                let query = SearchQuery(Self.phrase("number\(number)"), in: [RoomNID(1)])
                #expect(try await found(query, in: database) == [number])
            }
            #expect(try await found(SearchQuery(Self.phrase("word"), in: [RoomNID(1)]), in: database) == (1...12).reversed())
            #expect(try await found(SearchQuery(Self.phrase("word"), in: [RoomNID(2)]), in: database).isEmpty)
        }
    }

    @Test("words, phrases, alternatives and exclusions", arguments: DatabaseKind.allCases)
    func expressions(kind: DatabaseKind) async throws {
        let cases: [(SearchExpression, [Int64])] = [
            (SearchExpression([.init(wanted: ["cat"])]), [2, 1]),
            (SearchExpression([.init(wanted: ["runs"])]), [1]),
            (SearchExpression([.init(wanted: ["hello", "world"])]), [5, 4]),
            (Self.phrase("world hello"), [4]),
            (Self.phrase("foo-bar"), [3]),
            (Self.phrase("日 本"), [6]),
            (Self.phrase("本 日"), []),
            (Self.phrase("über"), [7]),
            (SearchExpression([.init(wanted: ["cat"], unwanted: ["dogs"])]), [1]),
            (SearchExpression([.init(wanted: ["hello"], unwanted: ["whole world", "nothing"])]), [4]),
            (SearchExpression([.init(wanted: ["dog"]), .init(wanted: ["plain", "foo"])]), [3, 2]),
            (SearchExpression([.init(unwanted: ["cat"])]), []),
            (Self.phrase("or"), []),
            (Self.phrase("\" or \""), []),
            (Self.phrase("cat\" OR words : \"dog"), []),
            (Self.phrase("NEAR(cat"), []),
            (Self.phrase("c*"), []),
            (Self.phrase("cat:*|dog"), []),
            (Self.phrase("\\"), []),
        ]
        try await withDatabase(kind) { database in
            try await Self.fill(database)
            for (expression, expected) in cases {
                let answer = try await found(SearchQuery(expression, in: [RoomNID(1)]), in: database)
                #expect(answer == expected, "\(expression)")
            }
        }
    }

    @Test("the newest come first, page by page", arguments: DatabaseKind.allCases)
    func paging(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await database.write { connection in
                for number in 1...25 { try SearchStore.insert([Self.row(Int64(number), room: 1, "word")], on: connection) }
                // Taken in later, but older; and two of the same moment.
                let old = SearchPlace(timestamp: Timestamp(milliseconds: 500), position: StreamPosition(1000))
                let twin = SearchPlace(timestamp: Timestamp(milliseconds: 25_000), position: StreamPosition(1001))
                try SearchStore.insert(
                    [
                        SearchRow(event: EventNID(100), room: RoomNID(1), key: .body, place: old, text: "word"),
                        SearchRow(event: EventNID(101), room: RoomNID(1), key: .body, place: twin, text: "word"),
                    ], on: connection)
            }
            var query = SearchQuery(Self.phrase("word"), in: [RoomNID(1)])
            var all: [Int64] = []
            while true {
                let asked = query
                let page = try await database.read { try SearchStore.newest(asked, limit: 4, on: $0) }
                guard let last = page.last else { break }
                all += page.map(\.event.value)
                query.before = last.place
            }
            #expect(all == [101] + (1...25).reversed() + [100])
            let asked = query
            #expect(try await database.read { try SearchStore.count(asked, limit: 100, on: $0) } == 0, "nothing is before the last")
            let whole = SearchQuery(Self.phrase("word"), in: [RoomNID(1)])
            #expect(try await database.read { try SearchStore.count(whole, limit: 100, on: $0) } == 27)
            #expect(try await database.read { try SearchStore.count(whole, limit: 10, on: $0) } == 10)
        }
    }

    @Test("the best match comes first", arguments: DatabaseKind.allCases)
    func ranks(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await database.write { connection in
                let texts = ["apple apple apple pie", "apple and very many other words besides that", "apple pie apple", "pear"]
                for (index, text) in texts.enumerated() {
                    try SearchStore.insert([Self.row(Int64(index + 1), room: 1, text)], on: connection)
                }
            }
            let query = SearchQuery(Self.phrase("apple"), in: [RoomNID(1)])
            let hits = try await database.read { try SearchStore.best(query, limit: 10, on: $0) }
            #expect(hits.first?.event == EventNID(1) && hits.last?.event == EventNID(2) && hits.count == 3)
            #expect(hits.map(\.rank) == hits.map(\.rank).sorted(by: >) && hits.allSatisfy { $0.rank > 0 })
            #expect(try await database.read { try SearchStore.best(query, limit: 2, on: $0) }.count == 2)
        }
    }

    @Test("only the wanted rooms, keys and senders", arguments: DatabaseKind.allCases)
    func restrictions(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await database.write { connection in
                for number in 1...60 {
                    let id = Int64(number)
                    try Self.insertEvent(id, room: id, by: number % 2 == 0 ? Self.alice : Self.bob, on: connection)
                    try SearchStore.insert(
                        [Self.row(id, room: id, "word r1", key: number % 3 == 0 ? .topic : .body)], on: connection)
                }
            }
            let one = Self.phrase("word")
            #expect(try await found(SearchQuery(one, in: []), in: database) == [])
            #expect(try await found(SearchQuery(one, in: [RoomNID(1)]), in: database) == [1])
            #expect(try await found(SearchQuery(one, in: [RoomNID(7), RoomNID(3), RoomNID(99)]), in: database) == [7, 3])
            let most = (11...60).map { RoomNID(Int64($0)) }
            #expect(try await found(SearchQuery(one, in: most), in: database) == (11...60).reversed())
            // The name of a room in the index is no word of the text.
            #expect(try await found(SearchQuery(Self.phrase("r7"), in: [RoomNID(7)]), in: database) == [])
            var query = SearchQuery(one, in: (1...6).map { RoomNID(Int64($0)) })
            query.keys = [.topic, .name]
            #expect(try await found(query, in: database) == [6, 3])
            query.keys = SearchKey.allCases
            query.senders = [Self.alice]
            #expect(try await found(query, in: database) == [6, 4, 2])
            query.senders = nil
            query.notSenders = [Self.alice]
            #expect(try await found(query, in: database) == [5, 3, 1])
            query.keys = []
            #expect(try await found(query, in: database) == [])
        }
    }

    @Test("what is written twice is there once, and what is deleted is gone", arguments: DatabaseKind.allCases)
    func writing(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await Self.fill(database)
            try await database.write { try SearchStore.insert([Self.row(1, room: 1, "the cat is running home")], on: $0) }
            let query = SearchQuery(Self.phrase("cat"), in: [RoomNID(1)])
            #expect(try await found(query, in: database) == [2, 1])
            try await database.write {
                try SearchStore.delete([EventID(trusted: "$1"), EventID(trusted: "$unknown")], on: $0)
                try SearchStore.delete([], on: $0)
            }
            #expect(try await found(query, in: database) == [2])
            let texts = try await database.read { try SearchStore.marked([Self.row(1, room: 1, "")], query.expression, on: $0) }
            #expect(texts.allSatisfy { !$0.utf8.contains(1) })
        }
    }

    @Test("the words that were found are marked", arguments: DatabaseKind.allCases)
    func marks(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            try await Self.fill(database)
            let rows = [Self.row(1, room: 1, Self.texts[0]), Self.row(2, room: 1, Self.texts[1])]
            let marked = try await database.read { try SearchStore.marked(rows, Self.phrase("cat"), on: $0) }
            #expect(Set(marked) == ["the \u{1}cat\u{2} is running home", "two dogs ran after the \u{1}cats\u{2}"])
        }
    }

    @Test("a statement that takes longer than it may fails, and the next one has its time again", arguments: DatabaseKind.allCases)
    func timeLimits(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            var outcome: DatabaseError.Kind?
            do {
                _ = try await database.read { connection in
                    try connection.within(.milliseconds(100)) {
                        try connection.first(
                            """
                            WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000000)
                            SELECT count(*) FROM n
                            """
                        ) { $0.int(0) }
                    }
                }
            } catch let error as DatabaseError {
                outcome = error.kind
            }
            #expect(outcome == .timeout)
            let count = try await database.read { connection in
                try connection.within(.seconds(10)) { try connection.first("SELECT 1") { $0.int(0) } }
            }
            #expect(count == 1)
            let later = try await database.read { connection in
                try connection.first(
                    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300000) SELECT count(*) FROM n"
                ) { $0.int(0) }
            }
            #expect(later == 300_000)
        }
    }
}
