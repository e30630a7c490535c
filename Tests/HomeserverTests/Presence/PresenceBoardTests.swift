import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Presence by the clock")
struct PresenceBoardTests {
    private let alice = UserID(trusted: "@alice:test")
    private let phone = DeviceID(trusted: "PHONE")
    private let laptop = DeviceID(trusted: "LAPTOP")
    private let start: Int64 = 1_000_000_000

    /// Lets the time pass in steps of a second, and tells who was news when, in seconds since `start`.
    private func news(_ board: inout PresenceBoard, from first: Int64, to last: Int64) -> [Int64] {
        (first...last).filter { !board.check(now: start + $0 * 1000).isEmpty }
    }

    @Test("a client that stops syncing is gone after half a minute")
    func gone() {
        var board = PresenceBoard()
        let isNews = board.beginSync(alice, phone, as: .online, now: start)
        #expect(isNews)
        #expect(board.presence(of: alice)?.state == .online)
        #expect(board.presence(of: alice)?.isCurrentlyActive == true)
        board.endSync(alice, phone, now: start + 20_000)
        let told = news(&board, from: 20, to: 60)
        #expect(told == [50])
        #expect(board.presence(of: alice)?.state == .offline)
        #expect(board.present.isEmpty)
    }

    @Test("a client that keeps syncing stays, and its syncs are no news")
    func staying() {
        var board = PresenceBoard()
        _ = board.beginSync(alice, phone, as: .online, now: start)
        for second in stride(from: Int64(25), through: 1000, by: 25) {
            board.endSync(alice, phone, now: start + second * 1000)
            let due = board.check(now: start + second * 1000)
            #expect(due.isEmpty)
            let isNews = board.beginSync(alice, phone, as: .online, now: start + second * 1000)
            #expect(!isNews)
        }
        #expect(board.presence(of: alice)?.state == .online)
    }

    @Test("one long sync: no longer active after a minute, idle after five, still there")
    func idle() {
        var board = PresenceBoard()
        _ = board.beginSync(alice, phone, as: .online, now: start)
        let told = news(&board, from: 1, to: 400)
        #expect(told == [60, 300])
        #expect(board.presence(of: alice)?.state == .unavailable)
        let isNews = board.noteActivity(alice, phone, now: start + 400_000)
        #expect(isNews)
        #expect(board.presence(of: alice)?.state == .online)
    }

    @Test("the device that is most there counts")
    func devices() {
        var board = PresenceBoard()
        _ = board.beginSync(alice, phone, as: .unavailable, now: start)
        #expect(board.presence(of: alice)?.state == .unavailable)
        let isNews = board.beginSync(alice, laptop, as: .online, now: start + 1000)
        #expect(isNews)
        #expect(board.presence(of: alice)?.state == .online)
        board.endSync(alice, laptop, now: start + 2000)
        let told = news(&board, from: 3, to: 40)
        #expect(told == [32])
        #expect(board.presence(of: alice)?.state == .unavailable)
    }

    @Test("a status message stays until another is set, and syncs do not touch it")
    func status() {
        var board = PresenceBoard()
        let first = board.set(alice, phone, to: .online, message: "at work", now: start)
        let sync = board.beginSync(alice, phone, as: .online, now: start + 1000)
        #expect(first && !sync)
        #expect(board.presence(of: alice)?.statusMessage == "at work")
        let second = board.set(alice, phone, to: .online, message: nil, now: start + 2000)
        #expect(second)
        #expect(board.presence(of: alice)?.statusMessage == nil)
    }

    @Test("who is not there is told nobody of when they act")
    func absent() {
        var board = PresenceBoard()
        let isNews = board.noteActivity(alice, phone, now: start)
        #expect(!isNews)
        #expect(!board.isKnown(alice))
    }

    @Test("what changed is taken once to be stored, and who is long gone is forgotten")
    func keeping() {
        var board = PresenceBoard()
        _ = board.set(alice, nil, to: .online, message: "hi", now: start)
        board.notePublished(alice, at: StreamPosition(7))
        let rows = board.takeUnsaved(now: start)
        #expect(rows.map(\.state) == ["online"] && rows.map(\.position) == [StreamPosition(7)])
        let again = board.takeUnsaved(now: start)
        _ = news(&board, from: 1, to: 100)
        let gone = board.takeUnsaved(now: start + 100_000)
        let later = board.takeUnsaved(now: start + 3_600_000)
        #expect(again.isEmpty && gone.map(\.state) == ["offline"] && later.isEmpty)
        #expect(!board.isKnown(alice))

        var restarted = PresenceBoard()
        restarted.restore(alice, UserPresence(rows[0]), now: start)
        #expect(restarted.present == [alice])
        let told = news(&restarted, from: 1, to: 60)
        #expect(told == [30])
        #expect(restarted.presence(of: alice)?.statusMessage == "hi")
    }

    // MARK: Users of other servers

    private func told(_ state: String, ago: Int64 = 0, active: Bool = false) throws -> RemotePresence {
        try #require(
            RemotePresence(
                json(#"{"user_id":"@r:other","presence":"\#(state)","last_active_ago":\#(ago),"currently_active":\#(active)}"#),
                from: ServerName(trusted: "other")))
    }

    @Test("what another server says of its user stands until it says something else, or nothing for half an hour")
    func remoteSilence() throws {
        let rita = UserID(trusted: "@r:other")
        var board = PresenceBoard()
        var isNews = board.hear(try told("online", ago: 10_000, active: true), now: start)
        #expect(isNews)
        #expect(board.presence(of: rita)?.lastActive.milliseconds == start - 10_000)
        isNews = board.hear(try told("online", ago: 20_000, active: true), now: start + 600_000)
        #expect(!isNews, "still there, and still active")
        #expect(news(&board, from: 601, to: 2399) == [], "no clock of ours makes another server's user idle")
        #expect(board.presence(of: rita)?.isCurrentlyActive == true)
        #expect(news(&board, from: 2400, to: 2500) == [2400])
        #expect(board.presence(of: rita)?.state == .offline)
        #expect(board.presence(of: rita)?.isCurrentlyActive == false)
        isNews = board.hear(try told("unavailable"), now: start + 3_000_000)
        #expect(isNews)
        isNews = board.hear(try told("offline"), now: start + 3_001_000)
        #expect(isNews)
    }

    @Test("after a restart another server's user has half an hour to be heard of")
    func remoteRestart() {
        let rita = UserID(trusted: "@r:other")
        var board = PresenceBoard()
        var presence = UserPresence()
        presence.state = .online
        presence.lastActive = Timestamp(milliseconds: start - 1_000_000)
        board.restoreRemote(rita, presence, now: start)
        #expect(news(&board, from: 1, to: 2000) == [1800])
    }
}
