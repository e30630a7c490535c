// Where two devices meet.

import Homeserver
import MatrixCore
import Testing

@Suite("Rendezvous") struct RendezvousSessionsTests {
    private static func sessions(count: Int = 10) -> RendezvousSessions {
        var limits = RendezvousSessions.Limits(lifetime: 1000)
        limits.count = count
        return RendezvousSessions(limits: limits)
    }

    private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }

    @Test("what one leaves the other finds, until its time is over")
    func meeting() {
        var sessions = Self.sessions()
        let first = sessions.begin("a", [1], at: at(0))
        #expect(sessions.session("a", at: at(999)) == first && first.expiry == at(1000))
        #expect(sessions.session("a", at: at(1000)) == nil && sessions.session("b", at: at(0)) == nil)
        #expect(sessions.change("a", to: [2], since: [first.tag], at: at(1000)) == .unknown)
    }

    @Test("a change counts where nobody else has changed anything since, and a repeated one does no harm")
    func changes() throws {
        var sessions = Self.sessions()
        let first = sessions.begin("a", [1], at: at(0))
        guard case .done(let second) = sessions.change("a", to: [2], since: [first.tag], at: at(1)) else {
            Issue.record("not changed")
            return
        }
        #expect(second.data == [2] && second.tag != first.tag && second.lastModified == at(1) && second.expiry == first.expiry)
        // The answer was lost: the device sends the same again.
        #expect(sessions.change("a", to: [2], since: [first.tag], at: at(2)) == .done(second))
        #expect(sessions.change("a", to: [3], since: [first.tag], at: at(2)) == .conflict(second))
        #expect(sessions.change("a", to: [3], since: [], at: at(2)) == .conflict(second))
        guard case .done(let third) = sessions.change("a", to: [1], since: ["*"], at: at(3)) else {
            Issue.record("not changed")
            return
        }
        // The same data at another time are another state.
        #expect(third.tag != first.tag)
    }

    @Test("an end is the end")
    func ends() {
        var sessions = Self.sessions()
        _ = sessions.begin("a", [1], at: at(0))
        #expect(sessions.end("a", at: at(1)) && !sessions.end("a", at: at(1)) && sessions.session("a", at: at(1)) == nil)
    }

    @Test("there are never more than allowed: what has expired goes, and then the oldest")
    func bounded() {
        var sessions = Self.sessions(count: 3)
        for index in 0..<100 {
            _ = sessions.begin("s\(index)", [], at: at(Int64(index)))
            #expect(sessions.count <= 3)
        }
        #expect(sessions.session("s99", at: at(99)) != nil && sessions.session("s97", at: at(99)) != nil)
        #expect(sessions.session("s96", at: at(99)) == nil)
        // One that was ended in between leaves its place.
        _ = sessions.end("s98", at: at(99))
        _ = sessions.begin("x", [], at: at(99))
        #expect(sessions.session("s97", at: at(99)) != nil)
        _ = sessions.begin("y", [], at: at(2000))
        #expect(sessions.count == 1)
    }
}
