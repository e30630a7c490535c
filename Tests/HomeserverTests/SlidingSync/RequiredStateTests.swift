import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Sliding sync: required state")
struct RequiredStateTests {
    private let alice = UserID(trusted: "@alice:example.org")

    private func state(_ pairs: [(String, String)]) -> RequiredState {
        RequiredState(pairs.map { (type: ByteString($0.0), stateKey: ByteString($0.1)) })
    }

    private func key(_ type: String, _ stateKey: String = "") -> StateKey {
        StateKey(type: ByteString(type), stateKey: ByteString(stateKey))
    }

    @Test("wildcards take in what they say already")
    func normalization() {
        #expect(state([("m.room.name", ""), ("*", "*"), ("m.room.member", "$LAZY")]) == state([("*", "*")]))
        #expect(state([("a", "x"), ("a", "*"), ("a", "y")]) == state([("a", "*")]))
        #expect(state([("a", "x"), ("a", "y"), ("*", "x")]) == state([("a", "y"), ("*", "x")]))
    }

    @Test("an entry is selected by its name, by either wildcard, or as the reader's own")
    func selection() {
        let wanted = state([("m.room.name", ""), ("m.space.child", "*"), ("*", "token"), ("m.room.member", "$ME")])
        #expect(wanted.selects(key("m.room.name"), for: alice))
        #expect(!wanted.selects(key("m.room.name", "other"), for: alice))
        #expect(wanted.selects(key("m.space.child", "!a:example.org"), for: alice))
        #expect(wanted.selects(key("anything", "token"), for: alice))
        #expect(!wanted.selects(key("anything", "else"), for: alice))
        #expect(wanted.selects(key("m.room.member", alice.string), for: alice))
        #expect(!wanted.selects(key("m.room.member", "@bob:example.org"), for: alice))
        #expect(!state([("m.room.member", "$LAZY")]).selects(key("m.room.member", alice.string), for: alice))
        #expect(state([("*", "*")]).selects(key("m.room.member", "@bob:example.org"), for: alice))
    }

    @Test("the union covers both, and nothing else covers what it lacks")
    func unions() {
        let a = state([("a", "1"), ("b", "*")])
        let b = state([("a", "2"), ("b", "1")])
        #expect(a.union(b).covers(a))
        #expect(a.union(b).covers(b))
        #expect(!a.covers(b))
        #expect(a.union(state([("b", "7")])) === a)
        #expect(state([("*", "*")]).covers(a))
        #expect(state([("*", "1")]).covers(state([("a", "1")])))
        #expect(!state([("a", "*")]).covers(state([("*", "1")])))
        let few = RoomConfig(timelineLimit: 1, required: a)
        let many = RoomConfig(timelineLimit: 20, required: b)
        #expect(few.union(many) == RoomConfig(timelineLimit: 20, required: state([("a", "1"), ("a", "2"), ("b", "*")])))
        #expect(!few.covers(many))
    }

    @Test("equal sets are one object")
    func interning() {
        let table = RequiredStateTable()
        #expect(table.shared(state([("a", "1"), ("a", "2")])) === table.shared(state([("a", "2"), ("a", "1")])))
    }

    // MARK: Changes

    private func change(_ sent: RequiredState, _ requested: RequiredState, changed: [StateKey] = []) -> RequiredStateChange {
        RequiredStateChange(from: sent, to: requested, changed: changed, for: alice)
    }

    @Test("asking for the same again adds nothing")
    func same() {
        let wanted = state([("a", "1"), ("m.room.member", "$LAZY")])
        #expect(change(wanted, state([("m.room.member", "$LAZY"), ("a", "1")])).effective == nil)
        #expect(change(wanted, wanted, changed: [key("a", "1")]).added == .nothing)
    }

    @Test("what is asked for in addition is added, and nothing else")
    func widening() {
        let step = change(state([("a", "1")]), state([("a", "1"), ("a", "2"), ("b", ""), ("m.room.member", "$ME")]))
        #expect(step.added == state([("a", "2"), ("b", ""), ("m.room.member", "$ME")]))
        #expect(step.effective == state([("a", "1"), ("a", "2"), ("b", ""), ("m.room.member", "$ME")]))
        #expect(change(state([("a", "1")]), state([("a", "*")])).added == state([("a", "*")]))
        #expect(change(state([("a", "1")]), state([("*", "*")])).added == state([("*", "*")]))
        // Members loaded lazily are the timeline's business.
        #expect(change(state([("a", "1")]), state([("a", "1"), ("m.room.member", "$LAZY")])).added == .nothing)
    }

    @Test("what is asked for no longer is remembered until it changes")
    func narrowing() {
        let wide = state([("a", "1"), ("a", "2"), ("m.room.member", "$ME")])
        let narrow = state([("a", "1")])
        #expect(change(wide, narrow).effective == nil)
        #expect(change(wide, narrow, changed: [key("a", "1")]).effective == nil)
        #expect(change(wide, narrow, changed: [key("a", "2")]).effective == state([("a", "1"), ("m.room.member", "$ME")]))
        #expect(change(wide, narrow, changed: [key("m.room.member", alice.string)]).effective == state([("a", "1"), ("a", "2")]))
        #expect(change(wide, narrow).added == .nothing)
    }

    @Test("after everything, nothing has to be added; a type of wildcard that goes is forgotten at once")
    func wildcards() {
        let everything = change(state([("*", "*")]), state([("a", "1")]))
        #expect(everything.added == .nothing)
        #expect(everything.effective == state([("a", "1")]))
        let gone = change(state([("a", "*")]), state([("a", "1")]))
        #expect(gone.added == .nothing)
        #expect(gone.effective == state([("a", "1")]))
        let anyType = change(state([("*", "1"), ("a", "2")]), state([("a", "2")]))
        #expect(anyType.added == .nothing)
        #expect(anyType.effective == state([("a", "2")]))
    }

    @Test("no more than so many state keys are remembered")
    func memory() {
        let many = state((0..<150).map { ("a", "\($0)") })
        let step = change(many, state([("a", "new")]))
        #expect(step.added == state([("a", "new")]))
        #expect(step.effective?.keys["a"]?.count == RequiredStateChange.memoryLimit)
        #expect(step.effective?.keys["a"]?.contains("new") == true)
    }
}
