import Homeserver
import Persistence
import Testing

@Suite("Sent members")
struct SentMembersTests {
    private let joan = EventNID(7)

    @Test("a member event counts as known when the client comes back with the token that came with it")
    func known() {
        var sent = SentMembers()
        let before = sent.isKnown(joan, since: StreamPosition(10))
        #expect(!before)
        sent.note(joan, nextBatch: StreamPosition(20))
        let after = sent.isKnown(joan, since: StreamPosition(20))
        #expect(after)
        let later = sent.isKnown(joan, since: StreamPosition(30))
        #expect(later)
    }

    @Test("when the response was lost, the client repeats its token and gets the event again")
    func lost() {
        var sent = SentMembers()
        sent.note(joan, nextBatch: StreamPosition(20))
        let whenRepeated = sent.isKnown(joan, since: StreamPosition(10))
        #expect(!whenRepeated)
        sent.note(joan, nextBatch: StreamPosition(25))
        let whenReceived = sent.isKnown(joan, since: StreamPosition(20))
        #expect(whenReceived)
    }

    @Test("an initial sync knows nothing, and makes everything forgotten")
    func initial() {
        var sent = SentMembers()
        sent.note(joan, nextBatch: StreamPosition(20))
        let initially = sent.isKnown(joan, since: nil)
        #expect(!initially)
        sent.removeAll()
        let afterwards = sent.isKnown(joan, since: StreamPosition(20))
        #expect(!afterwards)
    }

    @Test("what is remembered is bounded, and the newest stays")
    func bounded() {
        var sent = SentMembers(limit: 10)
        for number in 1...100 { sent.note(EventNID(Int64(number)), nextBatch: StreamPosition(1)) }
        let newest = sent.isKnown(EventNID(100), since: StreamPosition(1))
        #expect(newest)
        let oldest = sent.isKnown(EventNID(1), since: StreamPosition(1))
        #expect(!oldest)
    }
}
