import MatrixCore
import Testing

@Suite("Authorization: memberships (rule 5)")
struct MembershipRulesTests {
    @Test("Memberships change only as the join rule, the powers and the present memberships allow", arguments: cases, RoomVersion.all)
    func memberships(_ line: AuthCase, _ version: RoomVersion) throws {
        #expect(try line.refusal(in: version) == line.refusedBy(in: version))
    }

    static let cases: [AuthCase] = joins + restrictedJoins + invites + leaves + bans + knocks + malformed + unfederated

    private static func member(
        _ user: String, _ membership: String, by sender: String, _ more: JSONObject = [:]
    ) -> @Sendable (AuthFixture) throws -> Event {
        { room in
            var content = more
            content["membership"] = .string(membership)
            return try room.event("m.room.member", ByteString(user), content, by: sender)
        }
    }

    private static let bob = "@bob:b.example"
    private static let alice = "@alice:a.example"
    private static let mod = "@mod:a.example"
    private static let admin = "@admin:a.example"

    static let joins = [
        AuthCase("the creator joins right after the create event", refusedBy: nil, given: { $0.remove(.joinRules) }) { room in
            try room.event(
                "m.room.member", ByteString(AuthFixture.creator), ["membership": "join"], by: AuthFixture.creator,
                prev: [room.create.id])
        },
        AuthCase("nobody else joins right after the create event", refusedBy: "5.3.7") { room in
            try room.event("m.room.member", "@bob:b.example", ["membership": "join"], by: "@bob:b.example", prev: [room.create.id])
        },
        AuthCase("nobody makes somebody else join", refusedBy: "5.3.2", when: member(bob, "join", by: admin)),
        AuthCase(
            "a banned user cannot join, even when the room is public", refusedBy: "5.3.3",
            given: {
                try $0.setJoinRule("public"); try $0.setMember(bob, "ban")
            }, when: member(bob, "join", by: bob)),
        AuthCase("a room without join rules is by invite only", refusedBy: "5.3.7", when: member(bob, "join", by: bob)),
        AuthCase(
            "an invited user joins a room without join rules", refusedBy: nil,
            given: { try $0.setMember(bob, "invite") }, when: member(bob, "join", by: bob)),
        AuthCase(
            "a joined user may join again, to change their profile", refusedBy: nil, given: { try $0.setJoinRule("invite") },
            when: member(alice, "join", by: alice, ["displayname": "Alice"])),
        AuthCase(
            "a user who knocked cannot let themselves in", refusedBy: "5.3.7",
            given: {
                try $0.setJoinRule("knock"); try $0.setMember(bob, "knock")
            }, when: member(bob, "join", by: bob)),
        AuthCase(
            "an invited user joins a room of the join rule knock", refusedBy: nil,
            given: {
                try $0.setJoinRule("knock"); try $0.setMember(bob, "invite")
            }, when: member(bob, "join", by: bob)
        ).unless({ $0.knocking }, "5.3.7"),
        AuthCase(
            "anybody joins a public room", refusedBy: nil, given: { try $0.setJoinRule("public") }, when: member(bob, "join", by: bob)),
        AuthCase(
            "nobody joins a private room, not even who is invited", refusedBy: "5.3.7",
            given: {
                try $0.setJoinRule("private"); try $0.setMember(bob, "invite")
            }, when: member(bob, "join", by: bob)),
        AuthCase(
            "nobody joins by a join rule that no version knows", refusedBy: "5.3.7",
            given: { try $0.setJoinRule("org.example.open") }, when: member(bob, "join", by: bob)),
    ]

    static let restrictedJoins = ["restricted", "knock_restricted"].flatMap { rule in
        [
            AuthCase(
                "\(rule): an invited user joins without anybody's authorisation", refusedBy: nil,
                given: {
                    try $0.setJoinRule(rule); try $0.setMember(bob, "invite")
                }, when: member(bob, "join", by: bob)),
            AuthCase(
                "\(rule): a user joins whom a member that may invite authorised", refusedBy: nil,
                given: { try $0.setJoinRule(rule) },
                when: member(bob, "join", by: bob, ["join_authorised_via_users_server": .string(mod)])),
            AuthCase(
                "\(rule): nobody joins without authorisation", refusedBy: "5.3.5.2",
                given: { try $0.setJoinRule(rule) }, when: member(bob, "join", by: bob)),
            AuthCase(
                "\(rule): a member that may not invite authorises nobody", refusedBy: "5.3.5.2",
                given: { try $0.setJoinRule(rule) },
                when: member(bob, "join", by: bob, ["join_authorised_via_users_server": .string(alice)])),
            AuthCase(
                "\(rule): a user who has left authorises nobody", refusedBy: "5.3.5.2",
                given: {
                    try $0.setJoinRule(rule); try $0.setMember(mod, "leave")
                },
                when: member(bob, "join", by: bob, ["join_authorised_via_users_server": .string(mod)])),
            AuthCase(
                "\(rule): what is no user id authorises nobody", refusedBy: "5.3.5.2",
                given: { try $0.setJoinRule(rule) },
                when: member(bob, "join", by: bob, ["join_authorised_via_users_server": 7])),
        ].map { line in line.unless({ rule == "restricted" ? $0.restrictedJoins : $0.knockRestricted }, "5.3.7") }
    }

    static let invites = [
        AuthCase("a member with the invite level invites", refusedBy: nil, when: member(bob, "invite", by: mod)),
        AuthCase("a member below the invite level does not", refusedBy: "5.4.5", when: member(bob, "invite", by: alice)),
        AuthCase(
            "everybody may invite where the power levels do not say", refusedBy: nil,
            given: { room in
                let levels = AuthFixture.powerLevels(room.version, ["invite": .null])
                try room.set("m.room.power_levels", "", levels, by: AuthFixture.creator)
            },
            when: member(bob, "invite", by: alice)),
        AuthCase("who is not in the room cannot invite", refusedBy: "5.4.2", when: member("@carol:c.example", "invite", by: bob)),
        AuthCase("a member cannot be invited", refusedBy: "5.4.3", when: member(alice, "invite", by: mod)),
        AuthCase(
            "a banned user cannot be invited", refusedBy: "5.4.3", given: { try $0.setMember(bob, "ban") },
            when: member(bob, "invite", by: admin)),
        AuthCase(
            "a user who knocked is let in by an invite", refusedBy: nil, given: { try $0.setMember(bob, "knock") },
            when: member(bob, "invite", by: mod)),
    ]

    static let leaves = [
        AuthCase("a member leaves", refusedBy: nil, when: member(alice, "leave", by: alice)),
        AuthCase(
            "an invited user declines", refusedBy: nil, given: { try $0.setMember(bob, "invite") }, when: member(bob, "leave", by: bob)),
        AuthCase(
            "a user takes their knock back", refusedBy: nil, given: { try $0.setMember(bob, "knock") },
            when: member(bob, "leave", by: bob)
        ).unless({ $0.knocking }, "5.5.1"),
        AuthCase("who is not in the room cannot leave", refusedBy: "5.5.1", when: member(bob, "leave", by: bob)),
        AuthCase(
            "a banned user cannot unban themselves by leaving", refusedBy: "5.5.1", given: { try $0.setMember(bob, "ban") },
            when: member(bob, "leave", by: bob)),
        AuthCase("who is not in the room cannot kick", refusedBy: "5.5.2", when: member(alice, "leave", by: bob)),
        AuthCase("a moderator kicks a member below them", refusedBy: nil, when: member(alice, "leave", by: mod)),
        AuthCase("a member below the kick level does not", refusedBy: "5.5.5", when: member(mod, "leave", by: alice)),
        AuthCase(
            "a moderator cannot kick one of their own level", refusedBy: "5.5.5",
            given: { room in
                try room.set(
                    "m.room.power_levels", "", ["users": ["@mod:a.example": 50, "@alice:a.example": 50]], by: AuthFixture.creator)
            }, when: member(alice, "leave", by: mod)),
        AuthCase(
            "a moderator unbans", refusedBy: nil, given: { try $0.setMember(bob, "ban") }, when: member(bob, "leave", by: mod)),
        AuthCase(
            "who may kick but not ban cannot unban", refusedBy: "5.5.3",
            given: { room in
                let levels = AuthFixture.powerLevels(room.version, ["ban": 75])
                try room.set("m.room.power_levels", "", levels, by: AuthFixture.creator)
                try room.setMember(bob, "ban")
            },
            when: member(bob, "leave", by: mod)),
    ]

    static let bans = [
        AuthCase("a moderator bans a member below them", refusedBy: nil, when: member(alice, "ban", by: mod)),
        AuthCase("a moderator bans who has never been in the room", refusedBy: nil, when: member(bob, "ban", by: mod)),
        AuthCase("a moderator cannot ban an administrator", refusedBy: "5.6.3", when: member(admin, "ban", by: mod)),
        AuthCase("a member below the ban level cannot ban", refusedBy: "5.6.3", when: member(bob, "ban", by: alice)),
        AuthCase("who is not in the room cannot ban", refusedBy: "5.6.1", when: member(alice, "ban", by: bob)),
        AuthCase("nobody bans themselves", refusedBy: "5.6.3", when: member(admin, "ban", by: admin)),
    ]

    static let knocks = [
        AuthCase(
            "a user knocks where knocking is the rule", refusedBy: nil, given: { try $0.setJoinRule("knock") },
            when: member(bob, "knock", by: bob)),
        AuthCase(
            "a user knocks at a room of the join rule knock_restricted", refusedBy: nil,
            given: { try $0.setJoinRule("knock_restricted") }, when: member(bob, "knock", by: bob)
        ).unless({ $0.knockRestricted }, "5.7.1"),
        AuthCase("nobody knocks at a room that is by invite only", refusedBy: "5.7.1", when: member(bob, "knock", by: bob)),
        AuthCase(
            "nobody knocks at a public room", refusedBy: "5.7.1", given: { try $0.setJoinRule("public") },
            when: member(bob, "knock", by: bob)),
        AuthCase(
            "nobody knocks for somebody else", refusedBy: "5.7.2", given: { try $0.setJoinRule("knock") },
            when: member(bob, "knock", by: alice)),
        AuthCase(
            "a banned user cannot knock", refusedBy: "5.7.4",
            given: {
                try $0.setJoinRule("knock"); try $0.setMember(bob, "ban")
            }, when: member(bob, "knock", by: bob)),
        AuthCase(
            "an invited user cannot knock", refusedBy: "5.7.4",
            given: {
                try $0.setJoinRule("knock"); try $0.setMember(bob, "invite")
            }, when: member(bob, "knock", by: bob)),
        AuthCase(
            "a member cannot knock", refusedBy: "5.7.4", given: { try $0.setJoinRule("knock") }, when: member(alice, "knock", by: alice)),
        AuthCase(
            "a user who knocked may knock again", refusedBy: nil,
            given: {
                try $0.setJoinRule("knock"); try $0.setMember(bob, "knock")
            },
            when: member(bob, "knock", by: bob, ["reason": "please"])),
    ].map { $0.unless({ $0.knocking }, "5.8") }

    /// The other servers' reading of rule 4: neither sender nor target is of another server.
    static let unfederated = ["invite", "ban", "leave"].map { membership in
        AuthCase(
            "a user of another server is no subject of \(membership) in a room that is not federated", refusedBy: "4",
            given: { room in
                room = try AuthFixture(room.version, create: ["m.federate": false])
                try room.setMember(bob, membership == "leave" ? "ban" : "leave")
            }, when: member(bob, membership, by: admin))
    }

    static let malformed = [
        AuthCase("a membership event needs a state key", refusedBy: "5.1") { room in
            try room.event("m.room.member", nil, ["membership": "join"], by: alice)
        },
        AuthCase("a membership event needs a membership", refusedBy: "5.1") { room in
            try room.event("m.room.member", ByteString(alice), [:], by: alice)
        },
        AuthCase("a membership is one of the five", refusedBy: "5.8", when: member(alice, "lurk", by: alice)),
    ]
}
