import MatrixCore
import Testing

@Suite("Auth events")
struct AuthEventsTests {
    @Test("the auth events of an event are selected by its type", arguments: RoomVersion.all)
    func selection(_ version: RoomVersion) throws {
        let room = try AuthFixture(version)
        let alice = "@alice:a.example"
        let common: [StateKey] =
            (version.createEventDecidesRoomID ? [] : [.create]) + [.powerLevels, .member(try UserID(parsing: alice))]
        func bob() throws -> StateKey { .member(try UserID(parsing: "@bob:b.example")) }

        #expect(authEventKeys(for: room.create) == [])
        #expect(authEventKeys(for: try room.event("m.room.message", nil, [:], by: alice)) == common)
        #expect(authEventKeys(for: try room.event("m.room.topic", "", [:], by: alice)) == common)
        func member(_ user: String, _ content: JSONObject) throws -> [StateKey] {
            authEventKeys(for: try room.event("m.room.member", ByteString(user), content, by: alice))
        }
        #expect(try member(alice, ["membership": "join"]) == common + [.joinRules])
        #expect(try member(alice, ["membership": "knock"]) == common + [.joinRules])
        #expect(try member(alice, ["membership": "leave"]) == common)
        #expect(try member("@bob:b.example", ["membership": "ban"]) == common + [bob()])
        #expect(try member("@bob:b.example", ["membership": "invite"]) == common + [bob(), .joinRules])
        #expect(
            try member("@bob:b.example", ["membership": "invite", "third_party_invite": ["signed": ["token": "t"]]])
                == common + [bob(), .joinRules, .thirdPartyInvite(token: "t")])
        #expect(
            try member(alice, ["membership": "join", "join_authorised_via_users_server": "@bob:b.example"])
                == common + [.joinRules] + (version.restrictedJoins ? [bob()] : []))
    }

    func refusal(of event: Event, _ authEvents: [Event], rejected: Set<EventID> = []) -> String? {
        do {
            try checkAuthEvents(of: event, are: authEvents) { rejected.contains($0.id) }
            return nil
        } catch {
            return error.rule
        }
    }

    @Test("auth events are the selected ones, each once, accepted, and of the same room")
    func check() throws {
        let room = try AuthFixture(.v12)
        let message = try room.event("m.room.message", nil, [:], by: "@alice:a.example")
        let member = try #require(room.state[.member(try UserID(parsing: "@alice:a.example"))])
        let levels = try #require(room.state[.powerLevels])
        #expect(refusal(of: message, [member, levels]) == nil)
        #expect(refusal(of: message, [member, levels, levels]) == "3.1")
        #expect(refusal(of: message, [room.create, member, levels]) == "3.2", "version 12 never selects the create event")
        #expect(refusal(of: message, [message]) == "3.2")
        #expect(refusal(of: message, [member, levels], rejected: [levels.id]) == "3.3")
        let other = try AuthFixture(.v12, create: ["topic": "another"])
        let otherLevels = try #require(other.state[.powerLevels])
        #expect(refusal(of: message, [otherLevels]) == "3.5")
    }

    @Test("before room version 12 the create event is among the auth events")
    func createEvent() throws {
        let room = try AuthFixture(.v11)
        let message = try room.event("m.room.message", nil, [:], by: "@alice:a.example")
        #expect(refusal(of: message, [room.create]) == nil)
        #expect(refusal(of: message, []) == "2.4")
    }

    @Test("an event whose keys are too long is refused where it is read at all", arguments: [RoomVersion.v1, .v10])
    func longKeys(version: RoomVersion) throws {
        let room = try AuthFixture(version)
        let message = try room.event("m.room.message", "k", [:], by: "@alice:a.example")
        var pdu = JSONObject(try message.document())
        pdu["state_key"] = .string(String(repeating: "é", count: 128))
        let long = try Event(parsing: pdu.canonicalBytes, version: version)
        #expect(refusal(of: long, [room.create]) == "size")
        #expect(refusal(of: message, [room.create]) == nil)
    }

    @Test("in room versions 1 and 2 the server that chose the event ID signs too", arguments: [RoomVersion.v1, .v2, .v3])
    func signerOfEventID(version: RoomVersion) throws {
        let a = try ServerName(parsing: "a.example")
        let b = try ServerName(parsing: "b.example")
        let room = try AuthFixture(version)
        let message = try room.event("m.room.message", nil, [:], by: "@bob:b.example")
        #expect(try requiredSigners(of: message) == (version.eventFormat == .explicitIDs ? [b, a] : [b]))
    }

    @Test("an event is signed by its sender's server, and a restricted join by the authorising user's too")
    func signers() throws {
        let room = try AuthFixture(.v12)
        let a = try ServerName(parsing: "a.example")
        let b = try ServerName(parsing: "b.example")
        #expect(try requiredSigners(of: room.event("m.room.message", nil, [:], by: "@alice:a.example")) == [a])
        func member(_ membership: String, _ authoriser: JSONValue) throws -> Event {
            let content: JSONObject = ["membership": .string(membership), "join_authorised_via_users_server": authoriser]
            return try room.event("m.room.member", "@bob:b.example", content, by: "@bob:b.example")
        }
        #expect(try requiredSigners(of: member("join", "@mod:a.example")) == [b, a])
        #expect(try requiredSigners(of: member("leave", "@mod:a.example")) == [b])
        #expect(throws: AuthRejection.self) { try requiredSigners(of: member("join", "mod")) }
    }
}
