// What a transaction looks like on the wire.

import Federation
import MatrixCore
import Persistence
import Testing

@Suite("Transactions")
struct TransactionTests {
    private func text(_ edu: OutboundEDU) -> String { String(decoding: edu.json, as: UTF8.self) }

    @Test("the body is canonical JSON, with the units as they are")
    func body() throws {
        var transaction = Transaction()
        transaction.pdus = [OutboundPDU(position: StreamPosition(1), json: Array(#"{"a":1}"#.utf8))]
        transaction.edus = [OutboundTyping(room: RoomID(trusted: "!r:x"), user: UserID(trusted: "@é:x"), isTyping: true).edu]
        let body = transaction.body(origin: ServerName(trusted: "x"), at: Timestamp(milliseconds: 5))
        #expect(
            String(decoding: body, as: UTF8.self)
                == #"{"edus":[{"content":{"room_id":"!r:x","typing":true,"user_id":"@é:x"},"edu_type":"m.typing"}],"#
                + #""origin":"x","origin_server_ts":5,"pdus":[{"a":1}]}"#)
        let parsed = try JSONDocument(parsing: body, limits: .strictEvent).root
        #expect(parsed.canonicalBytes == body)
    }

    @Test("a transaction without EDUs names none, one without PDUs has an empty list")
    func lists() {
        let body = Transaction().body(origin: ServerName(trusted: "x"), at: Timestamp(milliseconds: 5))
        #expect(String(decoding: body, as: UTF8.self) == #"{"origin":"x","origin_server_ts":5,"pdus":[]}"#)
    }

    @Test("presence says what is known, and counts from now")
    func presence() throws {
        let alice = UserID(trusted: "@alice:x"), bob = UserID(trusted: "@bob:x")
        let edu = OutboundPresence.edu(
            [
                OutboundPresence(
                    user: alice, presence: "online", lastActive: Timestamp(milliseconds: 400), statusMessage: "hi",
                    isCurrentlyActive: true),
                OutboundPresence(user: bob, presence: "offline", lastActive: nil, statusMessage: nil, isCurrentlyActive: nil),
            ], at: Timestamp(milliseconds: 1000))
        #expect(
            text(edu) == #"{"content":{"push":[{"currently_active":true,"last_active_ago":600,"presence":"online","#
                + #""status_msg":"hi","user_id":"@alice:x"},{"presence":"offline","user_id":"@bob:x"}]},"edu_type":"m.presence"}"#)
        #expect(try JSONDocument(parsing: edu.json).root.canonicalBytes == edu.json)
    }
}

@Suite("Receipts that wait for a server")
struct PendingReceiptsTests {
    private func receipt(_ room: String, _ user: String, _ event: String, thread: ByteString = "", at time: Int64 = 1) -> OutboundReceipt {
        OutboundReceipt(
            room: RoomID(trusted: room), user: UserID(trusted: user), thread: thread, event: EventID(trusted: event),
            time: Timestamp(milliseconds: time))
    }

    private func texts(_ edus: [OutboundEDU]) -> [String] { edus.map { String(decoding: $0.json, as: UTF8.self) } }

    @Test("the newest receipt of a user in a room counts, and rooms share an EDU")
    func newest() throws {
        var pending = PendingReceipts()
        for receipt in [receipt("!b", "@a:x", "$1"), receipt("!a", "@b:x", "$2"), receipt("!b", "@a:x", "$3")] { pending.add(receipt) }
        let (edus, receipts) = pending.take(eduLimit: 5)
        #expect(
            texts(edus) == [
                #"{"content":{"!a":{"m.read":{"@b:x":{"data":{"ts":1},"event_ids":["$2"]}}},"#
                    + #""!b":{"m.read":{"@a:x":{"data":{"ts":1},"event_ids":["$3"]}}}},"edu_type":"m.receipt"}"#
            ])
        #expect(receipts.count == 2 && pending.isEmpty)
        #expect(try JSONDocument(parsing: edus[0].json).root.canonicalBytes == edus[0].json)
    }

    @Test("receipts of several threads go into EDUs of their own")
    func threads() {
        var pending = PendingReceipts()
        for thread in ["", "main", "$root"] { pending.add(receipt("!a", "@a:x", "$1", thread: ByteString(thread))) }
        let (edus, receipts) = pending.take(eduLimit: 2)
        #expect(edus.count == 2 && receipts.map(\.thread) == ["", "main"])
        #expect(texts(edus)[1].contains(#""data":{"thread_id":"main","ts":1}"#))
        expectEqual(pending.take(eduLimit: 2).receipts.map(\.thread), ["$root"])
    }

    @Test("what did not arrive waits again, unless something newer came, and there are never more than the limit")
    func putBack() {
        var pending = PendingReceipts(limit: 3)
        for user in ["@a:x", "@b:x"] { pending.add(receipt("!a", user, "$1")) }
        let taken = pending.take(eduLimit: 1).receipts
        pending.add(receipt("!a", "@a:x", "$2"))
        pending.putBack(taken)
        expectEqual(pending.take(eduLimit: 1).receipts.map(\.event.string).sorted(), ["$1", "$2"])
        for number in 0..<10 { pending.add(receipt("!a", "@u\(number):x", "$1")) }
        #expect(pending.count == 3)
        pending.putBack(taken)
        #expect(pending.count == 3)
        expectEqual(pending.take(eduLimit: 9).receipts.map(\.user.string), ["@u7:x", "@u8:x", "@u9:x"])
    }
}

@Suite("Who is told soon, and who later")
struct WakeScheduleTests {
    private func names(_ servers: [ServerName]) -> [String] { servers.map(\.string) }
    private let a = ServerName(trusted: "a"), b = ServerName(trusted: "b")

    @Test("a server is due at its time, and the last time that was said counts")
    func times() {
        var schedule = WakeSchedule()
        schedule.wake(a, at: 100)
        schedule.wake(b, at: 50)
        schedule.wake(a, at: 200)
        #expect(schedule.nextTime(after: 0) == 50)
        let due = [49, 60, 150, 200, 300].map { names(schedule.takeDue(at: $0)) }
        #expect(due == [[], ["b"], [], ["a"], []])
        schedule.wake(a, at: 400)
        schedule.forget(a)
        let none = schedule.takeDue(at: 1000)
        #expect(none.isEmpty && schedule.isEmpty)
    }

    @Test("planning again and again leaves nothing behind")
    func bounded() {
        var schedule = WakeSchedule()
        for time in 0..<10_000 { schedule.wake(a, at: Int64(1_000_000 + time)) }
        let early = schedule.takeDue(at: 1_009_998), due = schedule.takeDue(at: 1_009_999)
        #expect(early.isEmpty && due == [a])
    }

    @Test("those who can wait are told one after the other, each once")
    func soon() {
        var schedule = WakeSchedule(perSecond: 10)
        for number in 0..<30 { schedule.wakeSoon(ServerName(trusted: "s\(number)")) }
        schedule.wakeSoon(ServerName(trusted: "s0"))
        var told: [String] = []
        var counts: [Int] = []
        for now in stride(from: Int64(0), through: 4000, by: 500) {
            let due = schedule.takeDue(at: now)
            counts.append(due.count)
            told += names(due)
        }
        #expect(counts == [1, 5, 5, 5, 5, 5, 4, 0, 0])
        #expect(told == (0..<30).map { "s\($0)" })
    }

    @Test("very many are told within half a minute")
    func many() {
        var schedule = WakeSchedule(perSecond: 10)
        for number in 0..<30_000 { schedule.wakeSoon(ServerName(trusted: "s\(number)")) }
        var told = 0
        for now in stride(from: Int64(0), through: 120_000, by: 1000) { told += schedule.takeDue(at: now).count }
        #expect(told == 30_000)
    }
}

@Suite("What is said of who is typing")
struct TypingNewsTests {
    @Test("who begins and who ends is news, and who goes on is said again before others forget")
    func news() {
        let room = RoomID(trusted: "!a:x"), alice = UserID(trusted: "@alice:x"), bob = UserID(trusted: "@bob:x")
        var typing = TypingNews()
        expectEqual(typing.update(room, [alice], at: 0), [OutboundTyping(room: room, user: alice, isTyping: true)])
        expectEqual(typing.update(room, [alice, bob], at: 10_000), [OutboundTyping(room: room, user: bob, isTyping: true)])
        expectEqual(typing.takeDue(at: 39_999), [])
        expectEqual(typing.takeDue(at: 40_000), [OutboundTyping(room: room, user: alice, isTyping: true)])
        expectEqual(typing.update(room, [bob], at: 41_000), [OutboundTyping(room: room, user: alice, isTyping: false)])
        expectEqual(typing.takeDue(at: 50_000), [OutboundTyping(room: room, user: bob, isTyping: true)])
        expectEqual(typing.update(room, [], at: 51_000), [OutboundTyping(room: room, user: bob, isTyping: false)])
        #expect(typing.isEmpty)
        expectEqual(typing.takeDue(at: 100_000), [])
    }
}
