import Homeserver
import MatrixCore
import Persistence
import Rooms
import Testing

@Suite("State of a response")
struct StateSelectionTests: SyncSuite {
    private let topic = StateKey.topic
    private func nid(_ number: Int64) -> EventNID { EventNID(number) }
    private func topicEvent(_ position: Int64, replaces old: Int64? = nil) -> TimelineEvent {
        event(position, "m.room.topic", key: "", replaces: old.map { ($0, "{}", nil) })
    }

    @Test("the state before a timeline is the newest state with the timeline's changes taken back")
    func rollback() {
        let rollback = StateRollback(passed: [topicEvent(5, replaces: 2), event(6), topicEvent(7, replaces: 5)], newer: [])
        #expect(rollback.start(topic, newest: nid(7)) == nid(2))
        #expect(rollback.end(topic, newest: nid(7)) == nid(7))
        #expect(rollback.start(.name, newest: nid(1)) == nid(1))
        let first = StateRollback(passed: [topicEvent(5)], newer: [])
        #expect(first.start(topic, newest: nid(5)) == nil)
    }

    @Test("what came after the end of the response is taken back too")
    func newer() {
        let rollback = StateRollback(passed: [topicEvent(5, replaces: 2)], newer: [topicEvent(9, replaces: 5)])
        #expect(rollback.end(topic, newest: nid(9)) == nid(5))
        #expect(rollback.start(topic, newest: nid(9)) == nid(2))
        let untouched = StateRollback(passed: [], newer: [topicEvent(9, replaces: 5)])
        #expect(untouched.start(topic, newest: nid(9)) == nid(5))
    }

    @Test(
        "of one key that comes which the timeline does not show",
        arguments: [
            // start, end, shown, chosen
            (2, 2, [], 2), (2, 7, [7], 2), (2, 7, [], 7), (nil, 7, [7], nil), (2, nil, [], 2), (nil, nil, [], nil),
        ] as [(Int64?, Int64?, [Int64], Int64?)])
    func choose(start: Int64?, end: Int64?, shown: [Int64], chosen: Int64?) {
        let selection = StateSelection(returned: Set(shown.map { nid($0) }), usesStateAfter: false)
        #expect(selection.choose(start: start.map { nid($0) }, end: end.map { nid($0) }) == chosen.map { nid($0) })
    }

    @Test("with state_after it is always the state at the end, shown or not")
    func stateAfter() {
        let selection = StateSelection(returned: [nid(7)], usesStateAfter: true)
        #expect(selection.choose(start: nid(2), end: nid(7)) == nid(7))
        #expect(selection.choose(gap: [.name: nid(3)], passed: [topicEvent(7)]) == [topic: nid(7), .name: nid(3)])
    }

    @Test("over a gap: what changed in it, and what changed after it without being shown")
    func gap() {
        let selection = StateSelection(returned: [nid(7)], usesStateAfter: false)
        let passed = [topicEvent(7, replaces: 4), event(8, "m.room.avatar", key: "")]
        let chosen = selection.choose(gap: [topic: nid(4), .name: nid(3)], passed: passed)
        #expect(chosen == [topic: nid(4), .name: nid(3), .avatar: nid(8)])
    }

    @Test("members are needed of those who speak before their own member event is shown")
    func lazyMembers() {
        let timeline = [event(1, by: alice), member(2, bob, .join), event(3, by: bob)]
        #expect(LazyMembers.needed(for: timeline, usesStateAfter: false) == [alice])
        #expect(LazyMembers.needed(for: timeline, usesStateAfter: true) == [alice, bob])
        #expect(LazyMembers.needed(for: [event(1, by: bob), member(2, bob, .join)], usesStateAfter: false) == [bob])
    }
}
