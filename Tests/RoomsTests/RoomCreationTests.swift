import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

private func request(_ json: String) throws -> CreateRoomRequest {
    try CreateRoomRequest(try JSONDocument(parsing: Array(json.utf8)).root)
}

@Suite("createRoom")
struct RoomCreationTests {
    struct PresetCase: Sendable, CustomTestStringConvertible {
        let body: String
        let joinRule: String
        let guestAccess: String?
        let inviteLevel: Int64

        var testDescription: String { body }
    }

    @Test(
        "presets decide join rule, guest access and who may invite",
        arguments: [
            PresetCase(body: "{}", joinRule: "invite", guestAccess: "can_join", inviteLevel: 0),
            PresetCase(body: #"{"visibility":"public"}"#, joinRule: "public", guestAccess: nil, inviteLevel: 50),
            PresetCase(body: #"{"preset":"public_chat"}"#, joinRule: "public", guestAccess: nil, inviteLevel: 50),
            PresetCase(
                body: #"{"preset":"private_chat","visibility":"public"}"#, joinRule: "invite", guestAccess: "can_join", inviteLevel: 0),
            PresetCase(body: #"{"preset":"trusted_private_chat"}"#, joinRule: "invite", guestAccess: "can_join", inviteLevel: 0),
            PresetCase(
                body: #"{"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock"}}]}"#,
                joinRule: "knock", guestAccess: "can_join", inviteLevel: 0),
            PresetCase(
                body: #"{"power_level_content_override":{"invite":7}}"#, joinRule: "invite", guestAccess: "can_join", inviteLevel: 7),
        ])
    func presets(_ preset: PresetCase) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.rooms.existing(try await fixture.creation.create(request(preset.body), by: RoomsFixture.alice))
            #expect(try await fixture.content(.joinRules, of: room)?["join_rule"]?.string == preset.joinRule)
            #expect(try await fixture.content(.guestAccess, of: room)?["guest_access"]?.string == preset.guestAccess)
            #expect(try await fixture.content(.historyVisibility, of: room)?["history_visibility"] == "shared")
            #expect(room.current.powerLevels.invite == .finite(preset.inviteLevel))
            #expect(room.current.joinRule.rule.rawValue == preset.joinRule)
        }
    }

    @Test("the events come in the order of the specification", arguments: DatabaseKind.allCases)
    func order(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let policy = RoomCreationPolicy(encryptedPresets: [.privateChat])
            let fixture = try await RoomsFixture(database, policy: policy)
            let body = #"""
                {"room_alias_name":"den","name":"Den","topic":"Talk","invite":["@bob:test"],"is_direct":true,
                 "initial_state":[{"type":"m.room.avatar","content":{"url":"mxc://a/b"}},{"type":"x","state_key":"k","content":{}}]}
                """#
            let before = fixture.journal.position
            let id = try await fixture.creation.create(request(body), by: RoomsFixture.alice)
            let room = try await fixture.rooms.existing(id)
            let timeline = try await fixture.timeline(of: room)
            #expect(
                timeline.map(\.type.string) == [
                    "m.room.create", "m.room.member", "m.room.power_levels", "m.room.canonical_alias", "m.room.join_rules",
                    "m.room.history_visibility", "m.room.guest_access", "m.room.avatar", "x", "m.room.encryption", "m.room.name",
                    "m.room.topic", "m.room.member",
                ])
            let commits = try #require(fixture.journal.commits.recent(after: before))
            #expect(commits.count == 1)
            #expect(try await fixture.directory.resolve(RoomAlias(trusted: "#den:test")).room == id)
            #expect(room.current.invitedCount == 1)
            #expect(try await fixture.content(.member(RoomsFixture.bob), of: room)?["is_direct"] == true)
            #expect(try await fixture.content(.topic, of: room)?["m.topic"]?["m.text"]?.array?.first?["body"] == "Talk")

            let bobs = try await fixture.membership.rooms(of: RoomsFixture.bob)
            #expect(bobs.map(\.membership) == [.invite])
            let invite = try #require(timeline.last)
            let stripped = try await fixture.events.strippedState(for: invite).map { try JSONDocument(parsing: $0).root }
            let types: [ByteString] = stripped.compactMap { $0["type"]?.byteString }
            for type in ["m.room.create", "m.room.name", "m.room.join_rules", "m.room.encryption"] as [ByteString] {
                #expect(types.contains(type))
            }
            #expect(types.filter { $0 == "m.room.member" }.count == 2, "the inviter and the invite")
        }
    }

    @Test("every room version makes a room whose events it accepts itself", arguments: RoomVersion.all)
    func versions(version: RoomVersion) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let body = #"{"room_version":"\#(version.id)","preset":"trusted_private_chat","invite":["@bob:test"]}"#
            let id = try await fixture.creation.create(request(body), by: RoomsFixture.alice)
            let room = try await fixture.rooms.existing(id)
            #expect(room.version == version)
            #expect((id.server == nil) == version.createEventDecidesRoomID)
            let create = try #require(try await fixture.content(.create, of: room))
            #expect(create["room_version"]?.string == version.id)
            #expect(create["creator"]?.string == (version.creatorFromSender ? nil : "@alice:test"))
            #expect(create["additional_creators"] == (version.creatorsHaveInfinitePower ? ["@bob:test"] : nil))
            try await fixture.join(RoomsFixture.bob, room)
            let levels = room.current.powerLevels
            #expect(levels.level(of: RoomsFixture.bob) == levels.level(of: RoomsFixture.alice))
            for row in try await fixture.rows(of: room) {
                #expect(try Event(parsing: row.json, version: version).id == row.id)
            }
        }
    }

    @Test(
        "what cannot be made is refused with the specification's code, and nothing of it stays",
        arguments: [
            (#"{"room_version":"nope"}"#, "M_UNSUPPORTED_ROOM_VERSION"),
            (#"{"room_version":12}"#, "M_BAD_JSON"),
            (#"{"preset":"nope"}"#, "M_BAD_JSON"),
            (#"{"invite":["nobody"]}"#, "M_INVALID_PARAM"),
            (#"{"invite":"@bob:test"}"#, "M_BAD_JSON"),
            (#"{"name":5}"#, "M_BAD_JSON"),
            (#"{"room_alias_name":"taken"}"#, "M_ROOM_IN_USE"),
            (#"{"room_alias_name":"a b"}"#, "M_INVALID_PARAM"),
            (#"{"room_alias_name":"a:b"}"#, "M_INVALID_PARAM"),
            (#"{"initial_state":[{"type":"m.room.create","content":{}}]}"#, "M_INVALID_ROOM_STATE"),
            (#"{"initial_state":[{"content":{}}]}"#, "M_BAD_JSON"),
            (#"{"power_level_content_override":{"users":{"@alice:test":100}},"room_version":"12"}"#, "M_INVALID_ROOM_STATE"),
            (#"{"power_level_content_override":{"users":{"nonsense":1}}}"#, "M_INVALID_ROOM_STATE"),
            (#"{"power_level_content_override":{"users":{"@bob:test":100}},"room_version":"11"}"#, "M_INVALID_ROOM_STATE"),
            (#"{"creation_content":{"additional_creators":["nobody"]}}"#, "M_BAD_JSON"),
            (#"{"creation_content":{"additional_creators":"@bob:test"}}"#, "M_BAD_JSON"),
            (##"{"initial_state":[{"type":"m.room.canonical_alias","content":{"alias":"#none:test"}}]}"##, "M_BAD_ALIAS"),
            (#"{"invite_3pid":[{"medium":"email","address":"a@b"}]}"#, "M_MISSING_PARAM"),
            (#"{"invite_3pid":[{"medium":"email","address":"a@b","id_server":"a/b","id_access_token":"t"}]}"#, "M_INVALID_PARAM"),
        ])
    func refusals(body: String, code: String) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            _ = try await fixture.creation.create(request(#"{"room_alias_name":"taken"}"#), by: RoomsFixture.bob)
            #expect(try await errorCode { _ = try await fixture.creation.create(request(body), by: RoomsFixture.alice) } == code)
            #expect(try await fixture.membership.rooms(of: RoomsFixture.alice).isEmpty)
        }
    }

    @Test("of several who want the same alias at the same time one gets it", arguments: DatabaseKind.allCases)
    func aliasRace(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database)
            let codes = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        try await errorCode {
                            _ = try await fixture.creation.create(request(#"{"room_alias_name":"one"}"#), by: RoomsFixture.alice)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.filter { $0 == nil }.count == 1)
            #expect(codes.filter { $0 == "M_ROOM_IN_USE" }.count == 9)
        }
    }

    @Test("rooms that are made alike at the same time are different rooms", arguments: RoomVersion.all)
    func equalRooms(version: RoomVersion) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await RoomsFixture(database)
            let ids = try await withThrowingTaskGroup(of: RoomID.self) { group in
                for _ in 0..<20 { group.addTask { try await fixture.room(version: version).id } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(ids.count == 20)
        }
    }
}
