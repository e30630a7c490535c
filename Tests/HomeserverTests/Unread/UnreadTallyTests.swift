import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Unread tallies")
struct UnreadTallyTests {
    private let main: ByteString = "main"
    private let thread: ByteString = "$root"

    private func at(_ value: Int64) -> StreamPosition { StreamPosition(value) }

    private func notify(_ position: Int64, in thread: ByteString = "main", highlights: Bool = false) -> UnreadTally.Step {
        .notify(at(position), thread: thread, highlights: highlights)
    }

    /// A user who came in at position 10.
    private func counted(_ steps: [UnreadTally.Step], upTo end: Int64) -> UnreadTally {
        var tally = UnreadTally(readUpTo: at(10))
        tally.apply(steps, upTo: at(end))
        return tally
    }

    private func counts(_ tally: UnreadTally, upTo end: Int64 = .max, since: Int64? = nil) -> RoomUnread {
        tally.counts(upTo: at(end), since: since.map { at($0) })
    }

    @Test("notifications count by thread, and together")
    func threads() {
        let unread = counts(counted([notify(11), notify(12, in: thread, highlights: true), notify(13, highlights: true)], upTo: 13))
        #expect(unread.main == UnreadCounts(notifications: 2, highlights: 1))
        #expect(unread.threads == [thread: UnreadCounts(notifications: 1, highlights: 1)])
        #expect(unread.total == UnreadCounts(notifications: 3, highlights: 2))
    }

    @Test("an unthreaded receipt reads all threads up to its event, a threaded one its own")
    func receipts() {
        let base = counted([notify(11), notify(12, in: thread), notify(13), notify(14, in: thread)], upTo: 14)
        struct Case { let thread: ByteString?; let end: Int64; let main: Int; let other: Int }
        for reading in [
            Case(thread: nil, end: 12, main: 1, other: 1), Case(thread: nil, end: 14, main: 0, other: 0),
            Case(thread: main, end: 14, main: 0, other: 2), Case(thread: thread, end: 12, main: 2, other: 1),
            Case(thread: nil, end: 9, main: 2, other: 2),
        ] {
            var tally = base
            tally.read(at(reading.end), thread: reading.thread)
            #expect(counts(tally).main.notifications == reading.main, "\(reading)")
            #expect(counts(tally).threads[thread, default: .zero].notifications == reading.other, "\(reading)")
        }
    }

    @Test("a receipt may be ahead of the events that were looked at")
    func ahead() {
        var tally = UnreadTally(readUpTo: at(10))
        tally.read(at(12), thread: thread)
        tally.apply([notify(11, in: thread), notify(12, in: thread), notify(13, in: thread), notify(14)], upTo: at(14))
        #expect(counts(tally).threads == [thread: UnreadCounts(notifications: 1)])
        tally.read(at(20), thread: nil)
        #expect(tally.evaluated == at(20))
        tally.apply([notify(21)], upTo: at(21))
        #expect(counts(tally).total.notifications == 1)
    }

    @Test("an own event reads its thread, coming into the room begins anew, a redaction takes its event out")
    func otherSteps() {
        #expect(counts(counted([notify(11), notify(12, in: thread), .read(at(13), thread: main)], upTo: 13)).total.notifications == 1)
        #expect(counts(counted([notify(11), .begin(at(12)), notify(13)], upTo: 13)).total.notifications == 1)
        #expect(counts(counted([notify(11), notify(12), .redact(at(11))], upTo: 13)).total.notifications == 1)
    }

    @Test("only events up to the moment that is described count, and what came after the last sync is news")
    func moments() {
        let tally = counted([notify(11), notify(15)], upTo: 20)
        #expect(counts(tally, upTo: 12).total.notifications == 1)
        #expect(counts(tally, since: 14).isNews)
        #expect(!counts(tally, since: 15).isNews)
        #expect(!counts(tally, upTo: 12, since: 11).isNews)
    }

    @Test("however many notifications there are, the counts are right, and a receipt among the older ones has them counted anew")
    func many() {
        let number = Int64(UnreadTally.recentLimit) * 3
        var tally = UnreadTally(readUpTo: at(10))
        for position in 11...(10 + number) { tally.apply([notify(position, highlights: position % 2 == 0)], upTo: at(position)) }
        #expect(counts(tally).main == UnreadCounts(notifications: Int(number), highlights: Int(number / 2)))
        #expect(tally.encoded.count < 4 * UnreadTally.recentLimit)

        var recent = tally
        recent.read(at(number), thread: nil)
        #expect(counts(recent).main.notifications == 10)
        #expect(!recent.mustLearnReceipts)

        tally.read(at(20), thread: nil)
        #expect(tally.mustLearnReceipts)
        #expect(tally.evaluated == at(20))
        tally.learn(["": at(20), thread: at(15)])
        #expect(!tally.mustLearnReceipts)
        tally.apply([notify(21)], upTo: at(21))
        #expect(counts(tally).main.notifications == 1)
    }

    @Test("a threaded receipt among the older ones has everything counted anew, with the receipts that there are")
    func manyInThread() {
        var tally = UnreadTally(readUpTo: at(10))
        let last = 10 + Int64(UnreadTally.recentLimit) * 2
        for position in 11...last { tally.apply([notify(position, in: thread)], upTo: at(position)) }
        tally.read(at(20), thread: thread)
        #expect(tally.mustLearnReceipts && tally.evaluated == at(10))
        tally.learn([thread: at(20)])
        tally.apply((11...last).map { notify($0, in: thread) }, upTo: at(last))
        #expect(counts(tally).threads == [thread: UnreadCounts(notifications: Int(last - 20))])
    }

    @Test("what is stored reads back as it was, and what is not a tally does not read")
    func coding() throws {
        var tally = counted([notify(11), notify(300, in: thread, highlights: true), notify(70_000)], upTo: 1 << 40)
        let stored = try #require(UnreadTally(encoded: tally.encoded))
        #expect(stored.evaluated == tally.evaluated)
        #expect(stored.threads == tally.threads)
        for position in 1...Int64(UnreadTally.recentLimit + 1) { tally.apply([notify(1 << 40 + position)], upTo: at(1 << 40 + position)) }
        #expect(UnreadTally(encoded: tally.encoded)?.threads == tally.threads)
        #expect(UnreadTally(encoded: []) == nil)
        #expect(UnreadTally(encoded: [9, 1, 2]) == nil)
        for length in 1..<tally.encoded.count where length % 97 == 0 {
            #expect(UnreadTally(encoded: Array(tally.encoded.prefix(length))) == nil)
        }
    }

    @Test("of a stored tally the receipts are learned")
    func learning() throws {
        let base = counted([notify(11), notify(12, in: thread), notify(13)], upTo: 13)
        var stored = try #require(UnreadTally(encoded: base.encoded))
        stored.learn(["": at(11), thread: at(12)])
        #expect(counts(stored).main.notifications == 1)
        #expect(counts(stored).threads.isEmpty)
    }
}
