// What goes into the next transaction, and what becomes of what did not arrive.

import Federation
import MatrixCore
import Persistence
import Testing

@Suite("The queue of a server")
struct TransactionQueueTests {
    private let now = Timestamp(milliseconds: 1000)

    private func pdu(_ position: Int64, bytes: Int = 10) -> OutboundPDU {
        OutboundPDU(position: StreamPosition(position), json: [UInt8](repeating: 32, count: bytes))
    }

    private func update(_ position: Int64, edus: Int = 1) -> OutboundDeviceUpdate {
        OutboundDeviceUpdate(
            position: StreamPosition(position), edus: (0..<edus).map { OutboundEDU(json: Array("\"u\(position).\($0)\"".utf8)) })
    }

    private func message(_ position: Int64) -> OutboundDeviceMessage {
        OutboundDeviceMessage(position: StreamPosition(position), edu: OutboundEDU(json: Array("\"m\(position)\"".utf8)))
    }

    private func typing(_ user: String, _ isTyping: Bool = true) -> OutboundTyping {
        OutboundTyping(room: RoomID(trusted: "!r:x"), user: UserID(trusted: user), isTyping: isTyping)
    }

    private func presence(_ user: String, _ presence: String = "online") -> OutboundPresence {
        OutboundPresence(user: UserID(trusted: user), presence: presence, lastActive: nil, statusMessage: nil, isCurrentlyActive: nil)
    }

    private func receipt(_ user: String, _ event: String = "$1") -> OutboundReceipt {
        OutboundReceipt(
            room: RoomID(trusted: "!r:x"), user: UserID(trusted: user), thread: "", event: EventID(trusted: event), time: now)
    }

    /// The transaction that comes next; fails where something else does.
    private func sent(_ queue: inout TransactionQueue, sourceLocation: SourceLocation = #_sourceLocation) throws -> Transaction {
        guard case .send(let transaction) = queue.next(at: now) else {
            Issue.record("there is no transaction", sourceLocation: sourceLocation)
            throw CancellationError()
        }
        return transaction
    }

    private func rests(_ queue: inout TransactionQueue) -> Bool {
        if case .rest = queue.next(at: now) { !queue.isRunning } else { false }
    }

    private func positions(_ transaction: Transaction) -> [Int64] { transaction.pdus.map(\.position.value) }

    private func missing(events: Int64? = nil, deviceLists: Int64? = nil) -> DestinationBacklogRow {
        DestinationBacklogRow(eventsAfter: events.map { StreamPosition($0) }, deviceListsAfter: deviceLists.map { StreamPosition($0) })
    }

    // MARK: Bounds of a transaction

    @Test("a transaction holds at most 50 events, in order, and the rest follows")
    func fifty() throws {
        var queue = TransactionQueue()
        for position in 1...120 { queue.add(pdu(Int64(position))) }
        expectEqual(queue.start(), true)
        expectEqual(queue.start(), false)
        var all: [Int64] = []
        for count in [50, 50, 20] {
            let transaction = try sent(&queue)
            #expect(transaction.pdus.count == count)
            all += positions(transaction)
            queue.didSend(transaction)
        }
        #expect(all == Array(1...120))
        expectEqual(rests(&queue), true)
        #expect(queue.isEmpty)
        #expect(queue.backlog == missing())
    }

    @Test(
        "a transaction holds at most 100 EDUs, whatever waits")
    func hundred() throws {
        var queue = TransactionQueue()
        for number in 0..<400 {
            queue.add(typing("@t\(number):x"))
            queue.add(presence("@p\(number):x"))
            queue.add(receipt("@r\(number):x"))
            queue.add(update(Int64(1000 + number), edus: 2))
        }
        queue.noteMessages()
        _ = queue.start()
        guard case .readMessages(.zero, let limit) = queue.next(at: now) else {
            Issue.record("messages were not asked for")
            return
        }
        queue.foundMessages((1...limit).map { message(Int64($0)) }, isComplete: false)
        var edus = 0
        var messages = limit
        while queue.isRunning {
            switch queue.next(at: now) {
            case .send(let transaction):
                #expect(transaction.edus.count <= 100)
                edus += transaction.edus.count
                queue.didSend(transaction)
            case .readMessages(let after, let limit):
                #expect(after.value == Int64(messages))
                let found = messages < 300 ? (messages + 1...messages + limit).map { message(Int64($0)) } : []
                messages += found.count
                queue.foundMessages(found, isComplete: found.count < limit)
            case .rest: break
            default: Issue.record("an unexpected step")
            }
        }
        // 8 EDUs of 50 presences, 2 of 200 receipts.
        #expect(edus == 400 + 8 + 2 + 800 + messages)
        #expect(queue.isEmpty)
    }

    @Test("messages to devices and changes of devices come with the first transaction, however much is said in it")
    func priorities() throws {
        var queue = TransactionQueue()
        for number in 0..<400 { queue.add(typing("@t\(number):x")) }
        queue.add(update(7))
        queue.noteMessages()
        _ = queue.start()
        guard case .readMessages = queue.next(at: now) else {
            Issue.record("messages were not asked for")
            return
        }
        queue.foundMessages((1...84).map { message(Int64($0)) }, isComplete: false)
        let transaction = try sent(&queue)
        #expect(transaction.messagesUpTo == StreamPosition(84) && transaction.deviceUpdatesUpTo == StreamPosition(7))
    }

    // MARK: News of the moment

    @Test("of who is typing and who is there the newest counts, each once")
    func newest() throws {
        var queue = TransactionQueue()
        queue.add(typing("@a:x"))
        queue.add(presence("@a:x"))
        queue.add(typing("@a:x", false))
        queue.add(presence("@a:x", "offline"))
        _ = queue.start()
        let texts = try sent(&queue).edus.map { String(decoding: $0.json, as: UTF8.self) }
        #expect(texts.count == 2 && texts[0].contains(#""presence":"offline""#) && texts[1].contains(#""typing":false"#))
    }

    @Test("what is of the moment is given up when the server does not answer, receipts wait")
    func ephemeral() throws {
        var queue = TransactionQueue()
        queue.add(typing("@a:x"))
        queue.add(presence("@a:x"))
        queue.add(receipt("@a:x", "$1"))
        queue.add(receipt("@b:x", "$1"))
        _ = queue.start()
        let transaction = try sent(&queue)
        queue.add(receipt("@a:x", "$2"))
        queue.didFail(transaction)
        #expect(!queue.isRunning && queue.backlog.isEmpty)
        _ = queue.start()
        let again = try sent(&queue)
        #expect(again.edus.count == 1)
        #expect(Dictionary(uniqueKeysWithValues: again.receipts.map { ($0.user.string, $0.event.string) }) == ["@a:x": "$2", "@b:x": "$1"])
    }

    // MARK: What must arrive

    @Test("a server that does not answer leaves a position, and nothing in memory")
    func failure() throws {
        var queue = TransactionQueue()
        for position in [10, 20, 30] { queue.add(pdu(Int64(position))) }
        queue.add(update(25))
        _ = queue.start()
        queue.didFail(try sent(&queue))
        #expect(queue.backlog == missing(events: 9, deviceLists: 24))
        #expect(queue.heldCount == 0)
        queue.add(pdu(40))
        queue.add(update(41))
        #expect(queue.backlog == missing(events: 9, deviceLists: 24))
        #expect(queue.heldCount == 0)
    }

    @Test("what has arrived before a failure does not come again")
    func progress() throws {
        var queue = TransactionQueue()
        for position in 1...60 { queue.add(pdu(Int64(position))) }
        _ = queue.start()
        queue.didSend(try sent(&queue))
        #expect(queue.backlog == missing(events: 50))
        queue.didFail(try sent(&queue))
        #expect(queue.backlog == missing(events: 50))
    }

    @Test("a server that comes back gets its rooms one by one, then what is new")
    func catchUp() throws {
        var queue = TransactionQueue(backlog: missing(events: 5))
        _ = queue.start()
        guard case .findMissedRooms(let after, _) = queue.next(at: now) else {
            Issue.record("nothing is looked for")
            return
        }
        #expect(after == StreamPosition(5))
        let rooms = [(1, 7), (2, 9)].map { MissedRoomRow(room: RoomNID($0.0), position: StreamPosition($0.1)) }
        queue.foundMissedRooms(rooms, upTo: StreamPosition(9))
        for room in rooms {
            guard case .fetchMissedEvents(room, _) = queue.next(at: now) else {
                Issue.record("the room is not asked for")
                return
            }
            // What happens meanwhile is not forgotten.
            if room == rooms[1] { queue.add(pdu(12)) }
            let found = queue.foundMissedEvents([pdu(room.position.value)], in: room)
            let transaction = try #require(found)
            #expect(transaction.eventsUpTo == room.position && transaction.edus.isEmpty)
            queue.didSend(transaction)
        }
        guard case .findMissedRooms(StreamPosition(9), _) = queue.next(at: now) else {
            Issue.record("nothing is looked for")
            return
        }
        // The search began before the last event was noted: it must be repeated.
        queue.foundMissedRooms([], upTo: StreamPosition(11))
        guard case .findMissedRooms(StreamPosition(11), _) = queue.next(at: now) else {
            Issue.record("what came meanwhile was forgotten")
            return
        }
        queue.foundMissedRooms([], upTo: StreamPosition(12))
        expectEqual(rests(&queue), true)
        queue.add(pdu(13))
        _ = queue.start()
        let live = try sent(&queue)
        #expect(positions(live) == [13])
    }

    @Test("what the ends of a room brought along is not sent again")
    func ends() throws {
        var queue = TransactionQueue(backlog: missing(events: 5))
        _ = queue.start()
        _ = queue.next(at: now)
        let room = MissedRoomRow(room: RoomNID(1), position: StreamPosition(7))
        queue.foundMissedRooms([room], upTo: StreamPosition(9))
        _ = queue.next(at: now)
        // Meanwhile something is said, and the end of the room is that.
        queue.add(pdu(10))
        let found = queue.foundMissedEvents([pdu(10)], in: room)
        queue.didSend(try #require(found))
        _ = queue.next(at: now)
        queue.foundMissedRooms([MissedRoomRow(room: RoomNID(1), position: StreamPosition(10))], upTo: StreamPosition(10))
        guard case .findMissedRooms(StreamPosition(10), _) = queue.next(at: now) else {
            Issue.record("the event is sent again")
            return
        }
        queue.foundMissedRooms([], upTo: StreamPosition(10))
        expectEqual(rests(&queue), true)
    }

    @Test("a room in which there is nothing to send any more is passed over")
    func nothingLeft() throws {
        var queue = TransactionQueue(backlog: missing(events: 5))
        _ = queue.start()
        _ = queue.next(at: now)
        let room = MissedRoomRow(room: RoomNID(1), position: StreamPosition(7))
        queue.foundMissedRooms([room], upTo: StreamPosition(9))
        _ = queue.next(at: now)
        let found = queue.foundMissedEvents([], in: room)
        #expect(found == nil)
        guard case .findMissedRooms(StreamPosition(7), _) = queue.next(at: now) else {
            Issue.record("nothing is looked for")
            return
        }
    }

    @Test("more than the queue holds becomes a backlog, also under way", arguments: [true, false])
    func overflow(byCount: Bool) throws {
        var limits = TransactionQueue.Limits()
        limits.events = byCount ? 100 : 1000
        limits.eventBytes = byCount ? 1 << 20 : 1000
        var queue = TransactionQueue(limits: limits)
        for position in 1...60 { queue.add(pdu(Int64(position))) }
        _ = queue.start()
        let transaction = try sent(&queue)
        for position in 61...200 { queue.add(pdu(Int64(position))) }
        #expect(queue.heldCount == 0 && queue.backlog == missing(events: 0))
        queue.didSend(transaction)
        #expect(queue.backlog == missing(events: 50))
        guard case .findMissedRooms(StreamPosition(50), _) = queue.next(at: now) else {
            Issue.record("nothing is looked for")
            return
        }
    }

    @Test("changes of devices are read page by page, and followed then")
    func devicePages() throws {
        var queue = TransactionQueue(backlog: missing(deviceLists: 10))
        _ = queue.start()
        guard case .readDeviceUpdates(StreamPosition(10), let limit) = queue.next(at: now) else {
            Issue.record("nothing is read")
            return
        }
        queue.foundDeviceUpdates((1...limit).map { update(Int64(10 + $0)) }, upTo: StreamPosition(500), isComplete: false)
        queue.add(update(501))
        let first = try sent(&queue)
        #expect(first.edus.count == limit)
        queue.didSend(first)
        guard case .readDeviceUpdates(let after, _) = queue.next(at: now) else {
            Issue.record("nothing is read")
            return
        }
        #expect(after.value == Int64(10 + limit))
        queue.foundDeviceUpdates([update(400), update(501)], upTo: StreamPosition(501), isComplete: true)
        queue.add(update(502))
        let second = try sent(&queue)
        #expect(second.deviceUpdatesUpTo == StreamPosition(502))
        // What the first read of them has sent is not read again after a failure.
        queue.didFail(second)
        #expect(queue.backlog == missing(deviceLists: Int64(10 + limit)))
    }

    @Test("messages to devices come in order, each once, and again only where they did not arrive")
    func messages() throws {
        var queue = TransactionQueue(messagesSettled: StreamPosition(3))
        queue.noteMessages()
        _ = queue.start()
        guard case .readMessages(StreamPosition(3), _) = queue.next(at: now) else {
            Issue.record("nothing is read")
            return
        }
        queue.foundMessages([message(4), message(6)], isComplete: true)
        let first = try sent(&queue)
        queue.noteMessages()
        queue.didSend(first)
        guard case .readMessages(StreamPosition(6), _) = queue.next(at: now) else {
            Issue.record("nothing is read")
            return
        }
        queue.foundMessages([message(8)], isComplete: true)
        queue.didFail(try sent(&queue))
        #expect(queue.hasMessages && queue.heldCount == 0)
        _ = queue.start()
        guard case .readMessages(StreamPosition(6), _) = queue.next(at: now) else {
            Issue.record("nothing is read")
            return
        }
    }

    @Test("refusals in a row are counted")
    func refusals() throws {
        var queue = TransactionQueue(refusalCount: 1)
        queue.add(presence("@a:x"))
        _ = queue.start()
        queue.didFail(try sent(&queue), isRefusal: true)
        #expect(queue.refusalCount == 2)
        queue.add(presence("@a:x"))
        _ = queue.start()
        queue.didFail(try sent(&queue))
        #expect(queue.refusalCount == 2)
        queue.add(presence("@a:x"))
        _ = queue.start()
        queue.didSend(try sent(&queue))
        #expect(queue.refusalCount == 0)
    }
}
