// Account data, push rules and filters on both databases.

import Homeserver
import MatrixCore
import Rooms
import TestSupport
import Testing

@Suite("Account data, push rules and filters")
struct AccountDataTests {
    private func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    @Test("account data is written at a position, and is found as a change after an earlier one", arguments: DatabaseKind.allCases)
    func changes(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let (data, alice) = (server.accountData, AccountsFixture.alice)
            let room = RoomID(trusted: "!room:test")
            let first = try await data.put("org.example", room: nil, content: Array("{\"n\":1}".utf8), of: alice)
            let second = try await data.put("org.example", room: room, content: Array("{\"n\":2}".utf8), of: alice)
            let third = try await data.put("org.example", room: nil, content: Array("{\"n\":3}".utf8), of: alice)
            #expect(first < second && second < third)
            #expect(text(try await data.content("org.example", room: nil, of: alice)) == "{\"n\":3}")
            #expect(text(try await data.content("org.example", room: room, of: alice)) == "{\"n\":2}")
            #expect(try await data.content("org.example", room: nil, of: AccountsFixture.bob) == nil)

            let changed = try await data.changes(for: alice, after: first, upTo: third)
            #expect(changed.map(\.room) == [room, nil])
            #expect(changed.map { text($0.content) } == ["{\"n\":2}", "{\"n\":3}"])
            #expect(try await data.changes(for: alice, after: third, upTo: third).isEmpty)
            let all = try await data.changes(for: alice, after: nil, upTo: third)
            #expect(all.map(\.type) == ["org.example", "org.example", "m.push_rules"])
        }
    }

    @Test("types that the server keeps itself cannot be put", arguments: ["m.push_rules", "m.fully_read"])
    func reserved(type: String) async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await AccountsFixture(database)
            let error = await #expect(throws: MatrixError.self) {
                try await server.accountData.put(ByteString(type), room: nil, content: Array("{}".utf8), of: AccountsFixture.alice)
            }
            #expect(error?.status == 405 && error?.errcode == "M_BAD_JSON")
        }
    }

    @Test("changes of push rules are kept, take a position, and are rendered into account data", arguments: DatabaseKind.allCases)
    func pushRules(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let (rules, alice) = (server.pushRules, AccountsFixture.alice)
            let start = server.journal.position
            #expect(try await server.accountData.changes(for: alice, after: start, upTo: start).isEmpty)

            let rule = try PushRule(.content, id: "cake", json: json(#"{"pattern":"cake","actions":["notify"]}"#))
            try await rules.put(rule, at: .mostImportant, for: alice)
            try await rules.setEnabled(false, .override, ".m.rule.master", of: alice)
            try await rules.setActions([], .content, "cake", of: alice)
            #expect(try await errorCode { try await rules.remove(.content, "none", of: alice) } == "M_NOT_FOUND")

            for server in [server, try await AccountsFixture(database)] {
                let ruleset = try await server.pushRules.ruleset(of: alice)
                #expect(ruleset.rule(.content, "cake")?.actions.isEmpty == true)
                #expect(try await server.pushRules.ruleset(of: AccountsFixture.bob).rule(.content, "cake") == nil)
                let changed = try await server.accountData.changes(for: alice, after: start, upTo: server.journal.position)
                #expect(changed.map(\.type) == ["m.push_rules"])
                #expect(changed.first?.content == ruleset.json)
            }
        }
    }

    @Test("rules that are added at the same moment all count", arguments: DatabaseKind.allCases)
    func concurrentRules(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        let rule = try PushRule(.room, id: ByteString("!r\(number):test"), json: json(#"{"actions":[]}"#))
                        try await server.pushRules.put(rule, at: .mostImportant, for: AccountsFixture.alice)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await server.pushRules.ruleset(of: AccountsFixture.alice).rules(of: .room).count == 20)
        }
    }

    @Test("filters are numbered for each user, and the same filter keeps its number", arguments: DatabaseKind.allCases)
    func filters(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let (filters, alice, bob) = (server.filters, AccountsFixture.alice, AccountsFixture.bob)
            let lazy = try json(#"{"room":{"state":{"lazy_load_members":true}}}"#)
            let limited = try json(#"{"room":{"timeline":{"limit":3}}}"#)
            #expect(try await filters.add(lazy, of: alice) == "0")
            #expect(try await filters.add(limited, of: alice) == "1")
            #expect(try await filters.add(lazy, of: alice) == "0")
            #expect(try await filters.add(limited, of: bob) == "0")
            #expect(text(try await filters.definition("0", of: alice)) == #"{"room":{"state":{"lazy_load_members":true}}}"#)
            #expect(try await filters.filter("0", of: alice).room.state.lazyLoadMembers)
            #expect(
                try await filters.filter(parameter: #"{"room":{"state":{"lazy_load_members":true}}}"#, of: bob).room.state.lazyLoadMembers)
            #expect(try await errorCode { _ = try await filters.filter("7", of: alice) } == "M_NOT_FOUND")
            #expect(try await errorCode { _ = try await filters.filter("x", of: alice) } == "M_INVALID_PARAM")
            #expect(try await errorCode { _ = try await filters.add(json(#"{"room":[]}"#), of: alice) } != nil)
        }
    }

    @Test("filters added at the same moment get numbers of their own", arguments: DatabaseKind.allCases)
    func concurrentFilters(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let ids = try await withThrowingTaskGroup(of: String.self) { group in
                for limit in 1...6 {
                    group.addTask {
                        try await server.filters.add(json(#"{"room":{"timeline":{"limit":\#(limit)}}}"#), of: AccountsFixture.alice)
                    }
                }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(ids == ["0", "1", "2", "3", "4", "5"])
        }
    }
}
