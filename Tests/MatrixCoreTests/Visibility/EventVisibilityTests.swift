import MatrixCore
import Testing

@Suite("History visibility")
struct EventVisibilityTests {
    @Test("what a user sees depends on the setting, on their membership at the event and on a later join")
    func table() {
        // The rows: membership at the event, joined later. The columns: world_readable, shared, invited, joined.
        let rows: [(membership: Membership?, joinedSince: Bool, visible: [Bool])] = [
            (.join, false, [true, true, true, true]),
            (.join, true, [true, true, true, true]),
            (.invite, false, [true, false, true, false]),
            (.invite, true, [true, true, true, false]),
            (.leave, false, [true, false, false, false]),
            (.leave, true, [true, true, false, false]),
            (.knock, false, [true, false, false, false]),
            (.knock, true, [true, true, false, false]),
            (.ban, false, [true, false, false, false]),
            (.ban, true, [true, true, false, false]),
            (nil, false, [true, false, false, false]),
            (nil, true, [true, true, false, false]),
        ]
        for row in rows {
            for (visibility, expected) in zip(HistoryVisibility.allCases, row.visible) {
                let visible = isVisible(visibility: visibility, membership: row.membership, joinedSince: row.joinedSince)
                #expect(visible == expected, "\(visibility), \(String(describing: row.membership)), joined since: \(row.joinedSince)")
            }
        }
    }

    static let alice = UserID(trusted: "@alice:a.example")

    func context(_ visibility: HistoryVisibility, _ membership: Membership?) -> VisibilityContext {
        VisibilityContext(viewer: Self.alice, visibility: visibility, membership: membership, joinedSince: false)
    }

    @Test("a change of the setting is seen by who sees what is before it or what is after it")
    func historyVisibilityChange() {
        #expect(context(.worldReadable, nil).showsChange(to: .joined))
        #expect(context(.joined, nil).showsChange(to: .worldReadable))
        #expect(!context(.joined, nil).showsChange(to: .shared))
    }

    @Test("a user sees their own join, leave, kick and ban")
    func ownMembership() {
        #expect(context(.joined, nil).showsOwnChange(to: .join))
        #expect(context(.joined, .join).showsOwnChange(to: .leave))
        #expect(context(.joined, .join).showsOwnChange(to: .ban))
        #expect(!context(.joined, .leave).showsOwnChange(to: .ban))
    }

    @Test("a user sees that their invite has ended, whatever the setting")
    func declinedInvite() {
        #expect(context(.joined, .invite).showsOwnChange(to: .leave))
    }

    @Test("somebody else's membership is an event like others")
    func otherMembership() throws {
        let room = try AuthFixture(.v12)
        let join = try room.event("m.room.member", "@bob:b.example", ["membership": "join"], by: "@bob:b.example")
        #expect(!context(.joined, nil).shows(join))
        #expect(context(.joined, .join).shows(join))
        let own = try room.event("m.room.member", "@alice:a.example", ["membership": "join"], by: "@alice:a.example")
        #expect(context(.joined, nil).shows(own))
    }

    @Test(
        "a setting that is not understood, or none, is shared",
        arguments: ["{}", #"{"history_visibility":"public"}"#, #"{"history_visibility":1}"#])
    func unknownSetting(_ content: String) throws {
        #expect(HistoryVisibility(content: try JSONDocument(parsing: Array(content.utf8)).root) == .shared)
        #expect(HistoryVisibility(content: nil) == .shared)
    }
}
