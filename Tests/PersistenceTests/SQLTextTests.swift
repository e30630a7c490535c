// One text, two dialects.

import Persistence
import Testing

@Suite("SQL text")
struct SQLTextTests {
    @Test(
        "tokens and parameters are written for each database",
        arguments: [
            ("SELECT $2, $1", "SELECT $2, $1", "SELECT ?2, ?1"),
            (
                "SELECT '$1 {BLOB}', \"a$1\" -- $1 {x\n, $12", "SELECT '$1 {BLOB}', \"a$1\" -- $1 {x\n, $12",
                "SELECT '$1 {BLOB}', \"a$1\" -- $1 {x\n, ?12"
            ),
            ("SELECT 'it''s $1', $1", "SELECT 'it''s $1', $1", "SELECT 'it''s $1', ?1"),
            ("CREATE TABLE t (a {BLOB})", "CREATE TABLE t (a BYTEA)", "CREATE TABLE t (a BLOB)"),
            ("FROM {EACH $2 AS wanted}", "FROM unnest($2) AS wanted (value)", "FROM json_each(?2) AS wanted"),
            ("{GREATEST}(a, $1) {LEAST}(b)", "GREATEST(a, $1) LEAST(b)", "max(a, ?1) min(b)"),
            ("WHERE {e.a IN $1}", "WHERE e.a = ANY($1)", "WHERE e.a IN (SELECT value FROM json_each(?1))"),
            ("WHERE {a NOT IN $3}", "WHERE a <> ALL($3)", "WHERE a NOT IN (SELECT value FROM json_each(?3))"),
            ("SELECT 1 {FOR UPDATE}", "SELECT 1 FOR UPDATE", "SELECT 1 "),
            ("SELECT 1 {FOR UPDATE SKIP LOCKED}", "SELECT 1 FOR UPDATE SKIP LOCKED", "SELECT 1 "),
            ("SELECT {LIST}(a)", "SELECT array_agg(a)", "SELECT json_group_array(a)"),
        ])
    func rendering(text: String, postgres: String, sqlite: String) throws {
        expectEqual(try SQLText.render(SQL(text), for: .postgres), postgres)
        expectEqual(try SQLText.render(SQL(text), for: .sqlite), sqlite)
    }

    @Test("an unknown token is a mistake", arguments: ["{BLOP}", "{a IN}", "{a IN $x}", "{IN $1}", "{BLOB"])
    func unknownToken(text: String) {
        let error = #expect(throws: DatabaseError.self) { try SQLText.render(SQL(text), for: .postgres) }
        #expect(error?.kind == .syntax)
    }

    @Test("the cache lets the statement go that was not used for the longest time")
    func cache() {
        var cache = StatementCache<Int>(capacity: 2)
        #expect(cache.insert(1, for: "a") == nil)
        #expect(cache.insert(2, for: "b") == nil)
        #expect(cache["a"] == 1)
        #expect(cache.insert(3, for: "c") == 2)
        #expect(cache["b"] == nil)
        #expect(cache["a"] == 1)
        #expect(cache.insert(4, for: "a") == 1)
        #expect(cache.count == 2)
    }
}
