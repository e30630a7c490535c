import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Sliding sync: what a connection was sent")
struct ConnectionHistoryTests {
    private let config = RoomConfig(timelineLimit: 10, required: RequiredState(["m.room.name": [""], "m.room.member": ["$LAZY"]]))

    private func sent(_ upTo: Int64) -> SentRoom {
        var room = SentRoom(config: config)
        room.upTo = StreamPosition(upTo)
        return room
    }

    @Test("an answer counts when the client comes back with its number, and not before")
    func confirming() throws {
        var history = ConnectionHistory()
        let firstAnswer = history.answer([RoomNID(1): sent(5)], from: 0)
        let first = try #require(firstAnswer)
        let confirmed = history.confirm(first)
        #expect(confirmed)
        let lostAnswer = history.answer([RoomNID(1): sent(6), RoomNID(2): sent(6)], from: first)
        let lost = try #require(lostAnswer)
        #expect(history.rooms == [RoomNID(1): sent(5)])
        // The client did not get it, and asks again.
        let repeated = history.confirm(first)
        #expect(repeated)
        #expect(history.rooms == [RoomNID(1): sent(5)])
        let secondAnswer = history.answer([RoomNID(1): sent(7)], from: first)
        let second = try #require(secondAnswer)
        #expect(second != lost)
        let isKnown = history.confirm(second)
        #expect(isKnown)
        #expect(history.rooms == [RoomNID(1): sent(7)])
        let (isLostKnown, isFirstKnown) = (history.confirm(lost), history.confirm(first))
        #expect(!isLostKnown)
        #expect(!isFirstKnown)
        let (late, quiet) = (history.answer([:], from: first), history.answer([:], from: second))
        #expect(late == nil)
        #expect(quiet == second)
    }

    @Test("a number that was given out before a crash is taken for at least what is known")
    func recovering() throws {
        var history = ConnectionHistory()
        let firstAnswer = history.answer([RoomNID(1): sent(5)], from: 0)
        let first = try #require(firstAnswer)
        _ = history.confirm(first)
        let isTaken = history.confirm(first + 20)
        #expect(isTaken)
        #expect(history.rooms == [RoomNID(1): sent(5)])
        let next = history.answer([RoomNID(1): sent(9)], from: first + 20)
        #expect(next == first + 21)
        let isAbsurdTaken = history.confirm(.max)
        #expect(!isAbsurdTaken)
    }

    @Test("what is stored is read back")
    func coding() throws {
        var history = ConnectionHistory()
        var rich = sent(5)
        rich.note(members: [EventNID(7), EventNID(9)])
        rich.receipts = .live
        rich.accountData = .upTo(StreamPosition(3))
        let bare = SentRoom(config: RoomConfig(timelineLimit: 0, required: .nothing))
        let firstAnswer = history.answer([RoomNID(1): rich, RoomNID(2): bare], from: 0)
        let first = try #require(firstAnswer)
        _ = history.confirm(first)
        _ = history.answer([RoomNID(1): sent(8)], from: first)
        let table = RequiredStateTable()
        var read = try #require(ConnectionHistory(encoded: history.encoded, table))
        #expect(read.rooms == [RoomNID(1): rich, RoomNID(2): bare])
        #expect(read.number == first)
        #expect(read.lastNumber == history.lastNumber)
        let isKnown = read.confirm(history.lastNumber)
        #expect(isKnown)
        #expect(read.rooms[RoomNID(1)] == sent(8))
    }

    @Test("bytes that are no history are none, whatever they are")
    func garbage() {
        var history = ConnectionHistory()
        _ = history.answer([RoomNID(1): sent(5)], from: 0)
        let bytes = history.encoded
        let table = RequiredStateTable()
        for length in 0..<bytes.count { #expect(ConnectionHistory(encoded: Array(bytes.prefix(length)), table) == nil) }
        #expect(ConnectionHistory(encoded: [9] + bytes.dropFirst(), table) == nil)
    }

    @Test("members that were sent are remembered up to a limit, the oldest going first")
    func members() {
        var room = sent(1)
        room.note(members: (0..<200).map { EventNID(Int64($0)) })
        #expect(room.members.count == SentRoom.memberLimit)
        #expect(room.members.last == EventNID(199))
        room.note(members: [EventNID(199)])
        #expect(room.members.count == SentRoom.memberLimit)
    }
}
