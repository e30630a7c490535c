import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Typing board")
struct TypingBoardTests {
    let alice = UserID(trusted: "@alice:h")
    let bob = UserID(trusted: "@bob:h")
    let room = RoomID(trusted: "!r:h")

    @Test("readers are told when somebody starts and stops, not when they go on")
    func changes() {
        var board = TypingBoard()
        let starts = [
            board.start(alice, in: room, until: .seconds(30)), board.start(alice, in: room, until: .seconds(40)),
            board.start(bob, in: room, until: .seconds(20)),
        ]
        #expect(starts == [true, false, true])
        #expect(board.state(in: room).users == [alice, bob])
        let stops = [board.stop(alice, in: room), board.stop(alice, in: room)]
        #expect(stops == [true, false])
        #expect(board.state(in: room).users == [bob])
    }

    @Test("typing ends at its time, not before, and whoever goes on stays")
    func expiry() {
        var board = TypingBoard()
        _ = board.start(alice, in: room, until: .seconds(30))
        _ = board.start(bob, in: room, until: .seconds(30))
        _ = board.start(bob, in: room, until: .seconds(45))
        #expect(board.nextEnd == .seconds(30))
        let early = board.expire(at: .seconds(29))
        #expect(early == [])
        let due = board.expire(at: .seconds(30))
        #expect(due == [room])
        #expect(board.state(in: room).users == [bob])
        #expect(board.nextEnd == .seconds(45))
        let late = board.expire(at: .seconds(50))
        #expect(late == [room])
        #expect(board.nextEnd == nil)
    }

    @Test("the last quiet rooms are remembered, those in which somebody types always")
    func quietRooms() {
        var board = TypingBoard(quietRoomLimit: 2)
        let rooms = (1...6).map { RoomID(trusted: "!\($0):h") }
        _ = board.start(alice, in: rooms[0], until: .seconds(1))
        for (index, room) in rooms.enumerated() { board.publish(room, at: StreamPosition(Int64(index + 1))) }
        #expect(rooms.map { board.state(in: $0).changedAt.value } == [1, 0, 0, 4, 5, 6])
    }
}
