// Profiles, names of rooms and room lists of other servers.

import Federation
import Homeserver
import MatrixCore
import Persistence
import Rooms
import Synchronization
import TestSupport
import Testing

@Suite("What other servers are asked")
struct RemoteDirectoryTests {
    /// Answers as it was told to, and counts.
    private final class Source: RemoteProfileSource, RemoteRoomListSource, RemoteAliases {
        let answers = Mutex<[Result<String, FederationFailure>]>([])
        let queries = Mutex<[PublicRoomsQuery]>([])
        let asked = Atomic<Int>(0)

        init(_ answers: Result<String, FederationFailure>...) { self.answers.withLock { $0 = answers } }

        private func next() async throws(FederationFailure) -> JSON {
            asked.add(1, ordering: .relaxed)
            await Task.yield()
            let answer = answers.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
            do { return try json(try answer.get()) } catch let failure as FederationFailure { throw failure } catch { throw .malformed("") }
        }

        func profile(of user: UserID, field: ByteString?) async throws(FederationFailure) -> JSON { try await next() }

        func publicRooms(_ query: PublicRoomsQuery, of server: ServerName) async throws(FederationFailure) -> JSON {
            queries.withLock { $0.append(query) }
            return try await next()
        }

        func resolve(_ alias: RoomAlias) async throws -> (room: RoomID, servers: [ServerName])? {
            asked.add(1, ordering: .relaxed)
            return alias.localpart == "there" ? (RoomID(trusted: "!there:other.example"), [OtherServer.name]) : nil
        }
    }

    private let rita = OtherServer.user("rita")
    private let server = OtherServer.name

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    // MARK: Profiles

    @Test("a profile is asked for once for many, and what is of the wrong type is left out")
    func profiles() async throws {
        let source = Source(.success(#"{"displayname":"Rita","avatar_url":5,"x.y":[1]}"#))
        let profiles = RemoteProfiles(source: source)
        let found = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<20 { group.addTask { try await text(profiles.profile(of: rita).json) } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(found == [#"{"displayname":"Rita","x.y":[1]}"#])
        #expect(source.asked.load(ordering: .relaxed) == 1)
    }

    @Test("a profile is not remembered for long, and a failure not at all")
    func forgetting() async throws {
        let source = Source(
            .failure(.unreachable(server, "cut")), .success(#"{"displayname":"A"}"#), .success(#"{"displayname":"B"}"#))
        let profiles = RemoteProfiles(source: source, memory: .zero)
        #expect(try await errorCode { _ = try await profiles.profile(of: rita) } == "M_UNKNOWN")
        #expect(try await text(profiles.profile(of: rita).json) == #"{"displayname":"A"}"#)
        #expect(try await text(profiles.profile(of: rita).json) == #"{"displayname":"B"}"#)
    }

    @Test(
        "what another server refuses is told on, its other failures are not",
        arguments: [
            (FederationFailure.answered(.notFound("no such user here")), 404, "Profile was not found"),
            (.answered(.forbidden("not you")), 403, "not you"), (.answered(.unauthorized("who?")), 502, "Failed to fetch profile"),
            (.answered(.unknown("broken", status: 500)), 502, "Failed to fetch profile"),
            (.unreachable(ServerName(trusted: "x"), "10.0.0.1 refuses"), 502, "Failed to fetch profile"),
            (.notAllowed(ServerName(trusted: "x")), 403, "Federation denied with x."),
        ])
    func refusals(failure: FederationFailure, status: Int, message: String) async throws {
        let profiles = RemoteProfiles(source: Source(.failure(failure)))
        do {
            _ = try await profiles.profile(of: rita)
            Issue.record("it was not refused")
        } catch let error as MatrixError {
            #expect(error.status == status && error.message == message)
        }
    }

    @Test("a profile that is too large is none")
    func largeProfile() async throws {
        let value = String(repeating: "x", count: ProfileField.profileLimit)
        let profiles = RemoteProfiles(source: Source(.success("{\"a\":\"\(value)\"}")))
        #expect(try await errorCode { _ = try await profiles.profile(of: rita) } == "M_UNKNOWN")
    }

    @Test("the fields of other servers' users are read as those of our own")
    func fields() async throws {
        try await withDatabase(.sqlite) { database in
            let rooms = try await TestRooms(on: database)
            let profiles = ProfileService(
                database: database, membership: rooms.membership, serverName: TestRooms.serverName,
                remote: RemoteProfiles(source: Source(.success(#"{"displayname":"Rita","m.tz":"Europe/Rome"}"#))))
            #expect(try await profiles.value(of: "displayname", of: rita).map(text) == "\"Rita\"")
            #expect(try await profiles.value(of: "avatar_url", of: rita) == nil)
            #expect(try await profiles.value(of: "m.tz", of: rita).map(text) == "\"Europe/Rome\"")
            #expect(try await errorCode { _ = try await profiles.value(of: "x.y", of: rita) } == "M_NOT_FOUND")
        }
    }

    // MARK: Names of rooms

    @Test("an alias of another server is resolved there, and may be a room's canonical alias if it names the room")
    func aliases() async throws {
        try await withDatabase(.sqlite) { database in
            let rooms = try await TestRooms(on: database)
            let directory = AliasDirectory(rooms: rooms.rooms, remote: Source())
            let found = try await directory.resolve(RoomAlias(trusted: "#there:other.example"))
            #expect(found.room.string == "!there:other.example" && found.servers == [server])
            #expect(try await errorCode { _ = try await directory.resolve(RoomAlias(trusted: "#gone:other.example")) } == "M_NOT_FOUND")
            let alice = TestRooms.user("alice")
            let room = try await rooms.rooms.existing(rooms.room(by: alice))
            try await rooms.move(rita, to: .join, in: room.id)
            for alias in ["#there:other.example", "#gone:other.example"] {
                let content = try json("{\"alt_aliases\":[\"\(alias)\"]}")
                #expect(try await errorCode { try await directory.checkCanonicalAlias(content, in: room) } == "M_BAD_ALIAS")
            }
            let many = try json("{\"alt_aliases\":[\((0..<30).map { "\"#a\($0):other.example\"" }.joined(separator: ","))]}")
            #expect(try await errorCode { try await directory.checkCanonicalAlias(many, in: room) } == "M_BAD_ALIAS")
            try await directory.create(RoomAlias(trusted: "#here:example.org"), for: room.id, by: alice)
            let own = try await directory.resolve(RoomAlias(trusted: "#here:example.org"))
            #expect(own.servers == [TestRooms.serverName, server], "all who are in the room, this server first")
        }
    }

    // MARK: Room lists

    private let rooms = #"""
        {"chunk":[
          {"room_id":"!a:other.example","num_joined_members":5,"world_readable":true,"guest_can_join":false,"name":"Alpha"},
          {"room_id":"!b:other.example","num_joined_members":4,"world_readable":true,"guest_can_join":false,"topic":"of alphabets","room_type":"m.space"},
          {"room_id":"!c:other.example","num_joined_members":3,"world_readable":true,"guest_can_join":false,"name":"Beta"},
          {"room_id":"!d:other.example","num_joined_members":3,"world_readable":true,"guest_can_join":false,"name":5},
          {"room_id":"d","num_joined_members":3,"world_readable":true,"guest_can_join":false}, 5, {}],
         "next_batch":"n","total_room_count_estimate":3}
        """#

    private func names(_ page: RemoteRoomListPage) -> [String] { page.rooms.compactMap { $0["room_id"]?.string } }

    @Test("a page of another server's list is passed on, without what is no room")
    func roomList() async throws {
        let directory = RemoteRoomDirectory(source: Source(.success(rooms)), isEnabled: true)
        var query = PublicRoomsQuery()
        let page = try await directory.page(query, of: server)
        #expect(names(page) == ["!a:other.example", "!b:other.example", "!c:other.example"])
        #expect(page.nextBatch == "n" && page.prevBatch == nil && page.total == 3)
        query.limit = 2
        #expect(try await names(directory.page(query, of: server)).count == 2)
        #expect(try await names(RemoteRoomDirectory(source: Source(.success(rooms)), isEnabled: false).page(query, of: server)).isEmpty)
    }

    @Test("where a server does not search, its list is searched here")
    func searchingHere() async throws {
        let refusal = FederationFailure.answered(MatrixError(status: 404, errcode: "M_UNRECOGNIZED", message: ""))
        for (filter, expected) in [
            (["generic_search_term": "ALPHA"] as JSONObject, ["!a:other.example", "!b:other.example"]),
            (["generic_search_term": "alpha", "room_types": [.null]], ["!a:other.example"]),
            (["room_types": ["m.space"]], ["!b:other.example"]),
        ] {
            let source = Source(.failure(refusal), .success(rooms))
            var query = PublicRoomsQuery()
            query.filter = filter
            query.since = "s"
            let page = try await RemoteRoomDirectory(source: source, isEnabled: true).page(query, of: server)
            #expect(names(page) == expected)
            #expect(page.nextBatch == nil)
            #expect(source.queries.withLock { $0.map { $0.filter == nil && $0.since == nil } } == [false, true])
        }
    }

    @Test(
        "a list that does not come is told as that",
        arguments: [Result<String, FederationFailure>.success("{}"), .failure(.malformed("x"))])
    func noList(answer: Result<String, FederationFailure>) async throws {
        let directory = RemoteRoomDirectory(source: Source(answer), isEnabled: true)
        #expect(try await errorCode { _ = try await directory.page(PublicRoomsQuery(), of: server) } == "M_UNKNOWN")
    }
}
