import Homeserver
import MatrixCore
import Persistence
import Rooms
import Testing

@Suite("Timeline window")
struct TimelineWindowTests: SyncSuite {
    /// What the window shows, whether it is limited, where the state stands and where /messages goes on; nil for "needs older".
    private struct Outcome: Equatable {
        let shown: [Int64]
        let limited: Bool
        let start: Int64
        let previous: Int64
    }

    private func outcome(
        _ known: [Int64], floor: Int64, since: Int64?, limit: Int, isFinal: Bool = false, hiding hidden: Set<Int64> = []
    ) -> Outcome? {
        let candidates = TimelineWindow.Candidates(
            events: known.map { event($0) }, floor: StreamPosition(floor), upTo: StreamPosition(100))
        let wish = TimelineWindow.Wish(since: since.map { StreamPosition($0) }, limit: limit, isFinal: isFinal)
        guard case .window(let window) = TimelineWindow.decide(candidates, wish, admit: { !hidden.contains($0.position.value) }) else {
            return nil
        }
        return Outcome(
            shown: positions(window.events), limited: window.isLimited, start: window.start.value,
            previous: window.previousBatch.value)
    }

    @Test("all that happened since the last sync is shown when it fits")
    func complete() {
        #expect(
            outcome([51, 52, 53], floor: 50, since: 50, limit: 3) == Outcome(shown: [51, 52, 53], limited: false, start: 50, previous: 50))
        #expect(
            outcome([51, 52, 53], floor: 40, since: 51, limit: 9) == Outcome(shown: [52, 53], limited: false, start: 51, previous: 51))
    }

    @Test("when more happened than fits, the newest is shown and a gap is left before it")
    func gap() {
        #expect(outcome([51, 52, 53], floor: 50, since: 50, limit: 2) == Outcome(shown: [52, 53], limited: true, start: 51, previous: 51))
        // It doesn't matter then that memory does not reach back to the last sync.
        #expect(outcome([51, 52, 53], floor: 50, since: 10, limit: 2) == Outcome(shown: [52, 53], limited: true, start: 51, previous: 51))
    }

    @Test("events are not guessed: where too few are known, older ones are asked for")
    func older() {
        #expect(outcome([51, 52], floor: 50, since: 10, limit: 2) == nil)
        #expect(outcome([], floor: 50, since: nil, limit: 10) == nil)
        #expect(
            outcome([51, 52], floor: 50, since: 10, limit: 5, isFinal: true)
                == Outcome(shown: [51, 52], limited: true, start: 50, previous: 50))
    }

    @Test("a room that begins inside the window is not limited")
    func beginning() {
        let start = StreamPosition.start.value
        for limit in [3, 10] {
            #expect(
                outcome([1, 2, 3], floor: start, since: nil, limit: limit)
                    == Outcome(shown: [1, 2, 3], limited: false, start: start, previous: 0))
        }
        // Before what is here others may know of more.
        #expect(outcome([1, 2, 3], floor: 0, since: nil, limit: 10) == nil)
        #expect(outcome([1, 2, 3], floor: 0, since: nil, limit: 2) == Outcome(shown: [2, 3], limited: true, start: 1, previous: 1))
    }

    @Test("what a filter hides counts for nothing")
    func hidden() {
        #expect(
            outcome([51, 52, 53, 54], floor: 50, since: 50, limit: 2, hiding: [52, 54])
                == Outcome(shown: [51, 53], limited: false, start: 50, previous: 50))
        #expect(
            outcome([51, 52, 53, 54], floor: 50, since: 50, limit: 1, hiding: [52, 54])
                == Outcome(shown: [53], limited: true, start: 52, previous: 52))
        #expect(
            outcome([51, 52], floor: 50, since: 50, limit: 1, hiding: [51, 52])
                == Outcome(shown: [], limited: false, start: 50, previous: 100))
    }

    @Test("with a limit of zero nothing is shown, and news makes it limited")
    func none() {
        #expect(outcome([51], floor: 50, since: 50, limit: 0) == Outcome(shown: [], limited: true, start: 100, previous: 100))
        #expect(outcome([], floor: 50, since: 50, limit: 0) == Outcome(shown: [], limited: false, start: 50, previous: 100))
    }

    @Test("all events behind the start are passed, also those that are not shown")
    func passed() {
        let candidates = TimelineWindow.Candidates(
            events: (51...55).map { event($0) }, floor: StreamPosition(50), upTo: StreamPosition(100))
        let wish = TimelineWindow.Wish(since: StreamPosition(50), limit: 2)
        let decision = TimelineWindow.decide(candidates, wish, admit: { $0.position.value != 54 })
        guard case .window(let window) = decision else {
            Issue.record("no window")
            return
        }
        #expect(positions(window.events) == [53, 55])
        #expect(positions(window.passed) == [53, 54, 55])
    }
}
