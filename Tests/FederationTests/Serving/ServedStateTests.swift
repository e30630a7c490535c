// The state before an event and the auth chains, as other servers get them.

import Federation
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

private let (remote, other) = (ServingFixture.remote, ServingFixture.other)
private let (alice, rita, olga) = (ServingFixture.alice, ServingFixture.rita, ServingFixture.olga)

@Suite("What other servers read of states")
struct ServedStateTests {
    @Test("only servers that take part in a room read it, unless its access control list shuts them out", arguments: DatabaseKind.allCases)
    func gate(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(members: [rita])
            func code(_ id: RoomID, _ server: ServerName) async throws -> String? {
                try await errorCode { _ = try await fixture.served.joined(id, by: server) }
            }
            #expect(try await code(room.id, remote) == nil)
            #expect(try await code(room.id, other) == "M_FORBIDDEN")
            #expect(try await code(RoomID(trusted: "!nowhere:test"), remote) == "M_NOT_FOUND")
            #expect(try await errorCode { _ = try await fixture.served.open(room.id, to: other) } == nil)

            try await fixture.set("m.room.server_acl", ["allow": ["*"], "deny": ["rem*"]], in: room)
            #expect(try await code(room.id, remote) == "M_FORBIDDEN")
            #expect(try await errorCode { _ = try await fixture.served.open(room.id, to: remote) } == "M_FORBIDDEN")
            try await fixture.set("m.room.server_acl", ["allow": ["*"]], in: room)
            #expect(try await code(room.id, remote) == nil)
            try await fixture.become(.leave, rita, in: room)
            #expect(try await code(room.id, remote) == "M_FORBIDDEN")
        }
    }

    @Test(
        "the state is that before the event, and its auth chain is whole", arguments: DatabaseKind.allCases,
        [RoomVersion.v1, .v6, .v10, .v12])
    func state(kind: DatabaseKind, version: RoomVersion) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(version: version, members: [rita])
            let joined = try await fixture.served.joined(room.id, by: remote)
            let before = Set(room.current.state.map(\.value.id))
            let topic = try await fixture.set("m.room.topic", ["topic": "one"], in: room)
            let after = try await fixture.say("two", in: room)

            let answer = try parsed(try await fixture.served.state(before: topic, in: joined))
            let pdus = try answer["pdus"].map { try ids($0.elements, version) } ?? []
            #expect(Set(pdus) == before && pdus.count == before.count)
            let second = try parsed(try await fixture.served.state(before: after, in: joined))
            #expect(try Set(ids(second["pdus"]!.elements, version)) == before.union([topic]))

            // Whatever authorizes something of the state is in the chain, and what authorizes that.
            let chain = try answer["auth_chain"]!.elements.map { try Event(parsing: Array($0.bytes), version: version) }
            let chainIDs = chain.map(\.id)
            let events = try answer["pdus"]!.elements.map { try Event(parsing: Array($0.bytes), version: version) } + chain
            #expect(Set(events.flatMap(\.authEvents)).isSubset(of: chainIDs))
            #expect(chainIDs.contains(room.current.createEvent.id) && Set(chainIDs).count == chainIDs.count)

            let byID = try parsed(try await fixture.served.stateIDs(before: topic, in: joined))
            #expect(Set(byID["pdu_ids"]!.elements.compactMap(\.string)) == Set(before.map(\.string)))
            #expect(Set(byID["auth_chain_ids"]!.elements.compactMap(\.string)) == Set(chainIDs.map(\.string)))
        }
    }

    @Test("there is no state before what is unknown, of another room, rejected, or an outlier", arguments: DatabaseKind.allCases)
    func unknown(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(members: [rita])
            let elsewhere = try await fixture.say("here", in: try await fixture.room())
            let last = try await fixture.say("last", in: room)
            let outlier = try await fixture.store(fixture.event("outlier", after: [last], depth: 100, in: room), in: room, at: nil)
            let rejected = try await fixture.store(
                fixture.event("rejected", after: [last], depth: 101, in: room), in: room, at: StreamPosition(1_000_000), flags: .rejected)
            let joined = try await fixture.served.joined(room.id, by: remote)
            for id in [EventID(trusted: "$nothing"), elsewhere, outlier, rejected] {
                #expect(try await errorCode { _ = try await fixture.served.state(before: id, in: joined) } == "M_NOT_FOUND")
                #expect(try await errorCode { _ = try await fixture.served.stateIDs(before: id, in: joined) } == "M_NOT_FOUND")
            }
            for id in [EventID(trusted: "$nothing"), elsewhere, rejected] {
                #expect(try await errorCode { _ = try await fixture.served.authChain(of: id, in: joined) } == "M_NOT_FOUND")
            }
        }
    }

    @Test("an event's auth chain is what authorizes it, and what authorizes that", arguments: [RoomVersion.v2, .v11, .v12])
    func authChain(version: RoomVersion) async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(version: version, members: [rita])
            try await fixture.set("m.room.topic", ["topic": "no part of it"], in: room)
            let message = try await fixture.say("hello", by: rita, in: room)
            let joined = try await fixture.served.joined(room.id, by: remote)
            let answer = try parsed(try await fixture.served.authChain(of: message, in: joined))
            let found = try Set(ids(answer["auth_chain"]!.elements, version))
            let state = room.current
            let keys: [StateKey] = [.create, .powerLevels, .joinRules, .member(alice), .member(rita)]
            #expect(found == Set(keys.compactMap { state.entry($0)?.id }))
        }
    }

    @Test("a large room's state comes whole, in batches")
    func large() async throws {
        try await withDatabase(.sqlite) { database in
            let fixture = try await ServingFixture(database)
            let room = try await fixture.room(members: [rita])
            for start in stride(from: 0, to: 1200, by: 200) {
                let drafts = (start..<start + 200).map { number in
                    EventDraft(type: "test", stateKey: ByteString("\(number)"), content: [:], sender: alice)
                }
                _ = try await room.send(drafts, from: EventOrigin(user: alice))
            }
            let last = try await fixture.say("last", in: room)
            let joined = try await fixture.served.joined(room.id, by: remote)
            let answer = try parsed(try await fixture.served.state(before: last, in: joined))
            #expect(answer["pdus"]?.count == room.current.state.count)
            let chain = try answer["auth_chain"].map { try ids($0.elements, room.version) } ?? []
            #expect(chain.count == Set(chain).count && chain.count < 20)
        }
    }
}
