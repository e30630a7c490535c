import Homeserver
import MatrixCore
import Persistence
import Rooms
import Testing

@Suite("Visibility walk")
struct VisibilityWalkTests: SyncSuite {
    /// Alice speaks, bob is invited, alice speaks, bob joins, alice speaks.
    private var timeline: [TimelineEvent] {
        [
            event(1), event(2, "m.room.member", key: bob.text, by: alice, membership: .invite), event(3),
            member(4, bob, .join, after: (2, .invite)), event(5),
        ]
    }

    private func seen(_ timeline: [TimelineEvent], _ visibility: HistoryVisibility, _ membership: Membership?) -> [Int64] {
        var walk = VisibilityWalk(viewer: bob, visibility: visibility, membership: membership)
        return positions(Array(timeline.reversed().filter { walk.allows($0) }.reversed()))
    }

    @Test(
        "a user who joined sees of the past what the room's setting allows",
        arguments: [
            (HistoryVisibility.worldReadable, [1, 2, 3, 4, 5]), (.shared, [1, 2, 3, 4, 5]), (.invited, [2, 3, 4, 5]), (.joined, [2, 4, 5]),
        ] as [(HistoryVisibility, [Int64])])
    func joined(visibility: HistoryVisibility, expected: [Int64]) {
        #expect(seen(timeline, visibility, .join) == expected)
    }

    @Test("a change of the setting does not open what was closed before it")
    func change() {
        let opened = event(3, "m.room.history_visibility", key: "", replaces: (0, #"{"history_visibility":"joined"}"#, nil))
        let timeline = [event(1), event(2), opened, event(4), member(5, bob, .join)]
        #expect(seen(timeline, .shared, .join) == [3, 4, 5])
        let closed = event(3, "m.room.history_visibility", key: "", replaces: (0, #"{"history_visibility":"shared"}"#, nil))
        #expect(seen([event(1), event(2), closed, event(4), member(5, bob, .join)], .joined, .join) == [1, 2, 3, 5])
    }

    @Test("a user who left sees what was said until then, and from between two stays what the setting allows")
    func left() {
        let timeline = [
            event(1), member(2, bob, .join), event(3), member(4, bob, .leave, after: (2, .join)), event(5),
            member(6, bob, .join, after: (4, .leave)), event(7), member(8, bob, .leave, after: (6, .join)),
        ]
        #expect(seen(timeline, .joined, .leave) == [2, 3, 4, 6, 7, 8])
        #expect(seen(timeline, .shared, .leave) == [1, 2, 3, 4, 5, 6, 7, 8])
    }

    @Test("an invite that ended is seen, though nothing else of the room is")
    func declined() {
        let timeline = [
            event(1), event(2, "m.room.member", key: bob.text, by: alice, membership: .invite),
            member(3, bob, .leave, after: (2, .invite)),
        ]
        #expect(seen(timeline, .joined, .leave) == [2, 3])
        #expect(seen(timeline, .shared, .leave) == [2, 3])
    }

    @Test("it tells the membership at each event, what the event itself changed included")
    func membership() {
        var walk = VisibilityWalk(viewer: bob, visibility: .shared, membership: .join)
        var found: [Membership?] = []
        for event in timeline.reversed() {
            _ = walk.allows(event)
            found.append(walk.membershipAtEvent)
        }
        #expect(Array(found.reversed()) == [nil, .invite, .invite, .join, .join])
    }
}
