import Homeserver
import MatrixCore
import Persistence
import Rooms
import Testing

@Suite("Event ring")
struct EventRingTests: SyncSuite {
    private func ring(_ positions: Int64..., floor: Int64 = 0) -> EventRing {
        var ring = EventRing(floor: StreamPosition(floor))
        for position in positions { ring.append(event(position)) }
        return ring
    }

    @Test("it gives a stretch of the timeline, without its lower bound and with its upper one")
    func stretch() {
        let ring = ring(3, 5, 8)
        #expect(positions(ring.events(after: StreamPosition(3), upTo: StreamPosition(8))) == [5, 8])
        #expect(positions(ring.events(after: StreamPosition(0), upTo: StreamPosition(7))) == [3, 5])
        #expect(positions(ring.events(after: StreamPosition(8), upTo: StreamPosition(9))) == [])
        #expect(positions(ring.events(after: StreamPosition(0), upTo: StreamPosition(9), limit: 2)) == [5, 8])
        #expect(positions(ring.events(after: StreamPosition(0), upTo: StreamPosition(9), limit: 0)) == [])
    }

    @Test("an event that was seen before is not added again")
    func again() {
        var ring = ring(3, 5)
        ring.append(event(5))
        ring.append(event(4))
        #expect(positions(ring.events(after: .zero, upTo: StreamPosition(9))) == [3, 5])
    }

    @Test("when it is full, the oldest event goes and the window says so")
    func full() {
        var ring = EventRing(floor: StreamPosition(10))
        for position in 11...Int64(10 + EventRing.eventLimit + 2) { ring.append(event(position)) }
        #expect(ring.events.count == EventRing.eventLimit)
        #expect(!ring.covers(after: StreamPosition(11)))
        #expect(ring.covers(after: StreamPosition(12)))
    }

    @Test("what was read from the database goes before what is here")
    func prepend() {
        var ring = ring(21, 22, floor: 20)
        ring.prepend([event(15), event(18)], after: StreamPosition(14), upTo: StreamPosition(20))
        #expect(positions(ring.events(after: StreamPosition(14), upTo: StreamPosition(30))) == [15, 18, 21, 22])
        #expect(ring.covers(after: StreamPosition(14)))
        // A second reader comes with the same.
        ring.prepend([event(15), event(18)], after: StreamPosition(14), upTo: StreamPosition(20))
        #expect(ring.events.count == 4)
        // And one that has read further, with what is known already among it.
        ring.prepend([event(12), event(15), event(18)], after: StreamPosition(10), upTo: StreamPosition(20))
        #expect(positions(ring.events(after: StreamPosition(10), upTo: StreamPosition(30))) == [12, 15, 18, 21, 22])
    }

    @Test("what was read does not go before what is here if there may be something in between")
    func prependWithGap() {
        var ring = ring(21, 22, floor: 20)
        ring.prepend([event(15), event(18)], after: .zero, upTo: StreamPosition(18))
        #expect(positions(ring.events(after: .zero, upTo: StreamPosition(30))) == [21, 22])
        #expect(!ring.covers(after: StreamPosition(19)))
    }

    @Test("as much of the past is kept as fits, and the window does not claim more")
    func prependTooMuch() {
        var ring = ring(1000, floor: 999)
        ring.prepend((1...200).map { event($0) }, after: .zero, upTo: StreamPosition(999))
        #expect(ring.events.count == EventRing.eventLimit)
        let oldest = ring.events[0].position
        #expect(ring.covers(after: StreamPosition(oldest.value - 1)))
        #expect(!ring.covers(after: StreamPosition(oldest.value - 2)))
    }

    @Test("a redacted event is forgotten with all before it, so that its content cannot be shown again")
    func redaction() {
        var ring = ring(3, 5, 8)
        ring.forget(EventID(trusted: "$5"))
        #expect(positions(ring.events(after: .zero, upTo: StreamPosition(9))) == [8])
        #expect(!ring.covers(after: StreamPosition(4)))
        #expect(ring.covers(after: StreamPosition(5)))
        ring.forget(EventID(trusted: "$unknown"))
        #expect(ring.events.count == 1)
    }

    @Test("bytes are counted in and out")
    func bytes() {
        var ring = ring(3, 5)
        #expect(ring.byteCount == 2 * event(3).cost)
        ring.removeAll(upTo: StreamPosition(9))
        #expect(ring.byteCount == 0)
        #expect(ring.covers(after: StreamPosition(9)))
        #expect(!ring.covers(after: StreamPosition(8)))
    }
}
